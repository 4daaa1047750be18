//! `#[derive(Batch)]` for Burnscape. Use it through `burnscape::loss::Batch`.

use proc_macro::TokenStream;
use proc_macro2::{Ident, TokenStream as Tokens, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Index, parse_macro_input, parse_quote};

/// Implements `Batch` for a struct whose fields are batches.
///
/// A field marked with `#[batch(skip)]` belongs to the batch as a whole and does not change.
#[proc_macro_derive(Batch, attributes(batch))]
pub fn derive_batch(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn expand(mut input: DeriveInput) -> Result<Tokens, Error> {
    let fields = match &input.data {
        Data::Struct(data) => data.fields.clone(),
        _ => {
            return Err(Error::new(
                input.ident.span(),
                "`Batch` can be derived for structs only; implement `Batch::map_tensors` by hand",
            ));
        }
    };
    let mut mapped = Vec::new();
    let mut mapped_types = Tokens::new();
    let mut only_tensors = quote!(true);
    for (position, field) in fields.iter().enumerate() {
        let member = match &field.ident {
            Some(name) => quote!(#name),
            None => {
                let index = Index::from(position);
                quote!(#index)
            }
        };
        let ty = &field.ty;
        let value = if is_skipped(field)? {
            only_tensors = quote!(false);
            quote!(self.#member)
        } else {
            mapped_types.extend(quote!(#ty));
            only_tensors =
                quote!(#only_tensors && <#ty as ::burnscape::loss::Batch>::IS_ONLY_TENSORS);
            // With the span of the type, the error "not a batch" points at the field.
            quote_spanned! {ty.span()=>
                <#ty as ::burnscape::loss::Batch>::map_tensors(self.#member, mapper)
            }
        };
        mapped.push(quote!(#member: #value));
    }
    // Type parameters that occur in skipped fields only need not be batches.
    for parameter in input.generics.type_params_mut() {
        if mentions(mapped_types.clone(), &parameter.ident) {
            parameter
                .bounds
                .push(parse_quote!(::burnscape::loss::Batch));
        }
    }
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        impl #impl_generics ::burnscape::loss::Batch for #name #type_generics #where_clause {
            const IS_ONLY_TENSORS: bool = #only_tensors;

            fn map_tensors<__Mapper: ::burnscape::loss::BatchMapper>(
                self,
                mapper: &mut __Mapper,
            ) -> Self {
                let _ = &mapper;
                Self { #(#mapped),* }
            }
        }
    })
}

fn mentions(tokens: Tokens, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

fn is_skipped(field: &Field) -> Result<bool, Error> {
    let mut skipped = false;
    for attribute in field
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("batch"))
    {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                skipped = true;
                Ok(())
            } else {
                Err(meta.error("unknown option; the only option is `#[batch(skip)]`"))
            }
        })?;
    }
    Ok(skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(input: DeriveInput) -> String {
        expand(input).unwrap_err().to_string()
    }

    fn code(input: DeriveInput) -> String {
        expand(input).unwrap().to_string().replace(' ', "")
    }

    #[test]
    fn what_is_no_struct_is_refused_with_the_way_out() {
        let message = refusal(parse_quote!(
            enum Sample {
                Image(Tensor<3>),
            }
        ));
        assert!(message.contains("structs only") && message.contains("map_tensors"));
        let message = refusal(parse_quote!(
            union Sample {
                image: u8,
            }
        ));
        assert!(message.contains("structs only"));
    }

    #[test]
    fn an_unknown_option_is_refused_with_the_known_one() {
        let message = refusal(parse_quote!(
            struct Sample {
                #[batch(ignore)]
                name: String,
            }
        ));
        assert!(message.contains("#[batch(skip)]"), "{message}");
    }

    #[test]
    fn a_type_parameter_is_bounded_only_if_a_mapped_field_uses_it() {
        let code = code(parse_quote!(
            struct Sample<T, S> {
                values: Vec<T>,
                #[batch(skip)]
                source: S,
            }
        ));
        assert!(
            code.contains("impl<T:::burnscape::loss::Batch,S>"),
            "{code}"
        );
        assert!(code.contains("source:self.source"), "{code}");
    }

    #[test]
    fn a_unit_struct_is_a_batch_without_tensors() {
        assert!(
            code(parse_quote!(
                struct Nothing;
            ))
            .contains("Self{}")
        );
    }
}
