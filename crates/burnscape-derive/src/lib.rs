//! `#[derive(Batch)]` for Burnscape. Use it through `burnscape::loss::Batch`.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Index, parse_macro_input, parse_quote};

/// Implements `Batch` for a struct whose fields are batches.
///
/// A field marked `#[batch(skip)]` belongs to the batch as a whole and is passed on as it is.
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
                "`Batch` can be derived for structs only; implement `map_tensors` by hand",
            ));
        }
    };
    let mut mapped = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        let member = match &field.ident {
            Some(name) => quote!(#name),
            None => {
                let index = Index::from(position);
                quote!(#index)
            }
        };
        let value = if is_skipped(field)? {
            quote!(self.#member)
        } else {
            let ty = &field.ty;
            // The span of the field's type, so that "not a batch" points at the field.
            quote_spanned! {ty.span()=>
                <#ty as ::burnscape::loss::Batch>::map_tensors(self.#member, mapper)
            }
        };
        mapped.push(quote!(#member: #value));
    }
    if matches!(fields, Fields::Unit) {
        mapped.clear();
    }
    for parameter in input.generics.type_params_mut() {
        parameter
            .bounds
            .push(parse_quote!(::burnscape::loss::Batch));
    }
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        impl #impl_generics ::burnscape::loss::Batch for #name #type_generics #where_clause {
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
                Err(meta.error("unknown option; the only one is `#[batch(skip)]`"))
            }
        })?;
    }
    Ok(skipped)
}
