//! Values of a configuration.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use toml::de::{DeTable, DeValue};

use crate::scoped::Scoped;

pub(super) fn number(value: &DeValue<'_>) -> Result<f64, String> {
    let number = match value {
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .map(|integer| integer as f64),
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| format!("expected a number, found {}", shown(value)))
}

/// A whole number of zero or more.
pub(super) fn whole(value: &DeValue<'_>) -> Result<u64, String> {
    let integer = value.as_integer();
    let number = integer.and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
    number.ok_or_else(|| {
        let found = shown(value);
        format!("expected a whole number of 0 or more, found {found}")
    })
}

fn text(value: &DeValue<'_>) -> Result<String, String> {
    let text = value.as_str().map(str::to_string);
    text.ok_or_else(|| format!("expected text in quotes, found {}", shown(value)))
}

pub(super) fn path(value: &DeValue<'_>) -> Result<PathBuf, String> {
    text(value).map(PathBuf::from)
}

/// A word that the command line would read.
pub(super) fn word<T>(value: &DeValue<'_>) -> Result<T, String>
where
    T: FromStr,
    T::Err: Display,
{
    let text = text(value)?;
    text.parse::<T>().map_err(|error| error.to_string())
}

/// One of some words.
pub(super) fn choice<T: ValueEnum>(value: &DeValue<'_>) -> Result<T, String> {
    let text = text(value)?;
    <T as ValueEnum>::from_str(&text, true).map_err(|_| {
        let names = T::value_variants().iter();
        let names = names.filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|name| name.get_name().to_string()).collect();
        format!("`{text}` is not known; use one of {}", names.join(", "))
    })
}

pub(super) fn list<T>(
    value: &DeValue<'_>,
    read: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let Some(items) = value.as_array() else {
        let found = shown(value);
        return Err(format!("expected a list, [\"…\", \"…\"], found {found}"));
    };
    items.iter().map(|item| read(item.get_ref())).collect()
}

/// The names of a rule: one, or several.
pub(super) fn names(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match value {
        DeValue::String(name) => Ok(vec![name.to_string()]),
        DeValue::Array(_) => list(value, text),
        _ => Err(format!(
            "expected the beginning of a path, or a list such as [\"model.layers.0\", \"lm_head\"], found {}",
            shown(value)
        )),
    }
}

/// One number for all tensors, or a table of them by pattern.
pub(super) fn numbers(value: &DeValue<'_>) -> Result<Vec<Scoped<f64>>, String> {
    scoped(value, number)
}

/// One value for all tensors, or a table of them by pattern, in which `default` is that for all. A pattern may have
/// quotes, or be a key with dots.
pub(super) fn scoped<T>(
    value: &DeValue<'_>,
    read: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> Result<Vec<Scoped<T>>, String> {
    let mut values = Vec::new();
    match value {
        DeValue::Table(table) => add(&mut values, "", table, &read)?,
        DeValue::Array(_) => {
            let message = "expected one value, or a table by pattern such as \
                           { default = …, lm_head = … }, found a list";
            return Err(message.to_string());
        }
        one => values.push(Scoped {
            pattern: None,
            value: read(one)?,
        }),
    }
    Ok(values)
}

fn add<T>(
    values: &mut Vec<Scoped<T>>,
    before: &str,
    table: &DeTable<'_>,
    read: &impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> Result<(), String> {
    for (key, value) in table {
        let key = key.get_ref();
        let pattern = match before {
            "" => key.to_string(),
            before => format!("{before}.{key}"),
        };
        match value.get_ref() {
            DeValue::Table(inner) => add(values, &pattern, inner, read)?,
            value => {
                let read = read(value);
                let value = read.map_err(|message| format!("`{pattern}`: {message}"))?;
                let pattern = (pattern != "default").then_some(pattern);
                values.push(Scoped { pattern, value });
            }
        }
    }
    Ok(())
}

/// The weights of each model.
pub(super) fn weights(value: &DeValue<'_>) -> Result<Vec<Vec<Scoped<f64>>>, String> {
    let Some(items) = value.as_array() else {
        let found = shown(value);
        return Err(format!(
            "expected a list, one entry for each model, such as [0.7, {{ default = 0.3, lm_head = 1.0 }}], found \
             {found}"
        ));
    };
    let models = items.iter().enumerate().map(|(model, item)| {
        let values = numbers(item.get_ref())?;
        if values.iter().any(|scoped| scoped.pattern.is_none()) {
            return Ok(values);
        }
        let pattern = values.first().and_then(|scoped| scoped.pattern.clone());
        let pattern = pattern.unwrap_or_default();
        Err(format!(
            "that of model {model} for `{pattern}` leaves other tensors without a weight; add `default = 1.0` to its \
             table"
        ))
    });
    models.collect()
}

/// A value in an error.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_string(),
        DeValue::Table(_) => "a table".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed<T>(text: &str, read: fn(&DeValue<'_>) -> Result<T, String>) -> Result<T, String> {
        let value = DeValue::parse(text).unwrap();
        read(value.get_ref())
    }

    fn of<const N: usize>(texts: [&str; N]) -> Vec<Scoped<f64>> {
        texts.map(|text| text.parse().unwrap()).to_vec()
    }

    #[test]
    fn numbers_may_be_integers_and_tables_of_patterns() {
        assert_eq!(parsed("1", numbers), Ok(of(["1"])));
        assert_eq!(parsed("-1.5e1", number), Ok(-15.0));
        assert_eq!(parsed("0x10", whole), Ok(16));
        let found = parsed("{ default = 0.5, \"a.b\" = 2, c.d.e = 3 }", numbers);
        assert_eq!(found, Ok(sorted(of(["a.b=2", "c.d.e=3", "0.5"]))));
    }

    /// In the order of the keys.
    fn sorted(mut values: Vec<Scoped<f64>>) -> Vec<Scoped<f64>> {
        values.sort_by_key(|scoped| scoped.pattern.clone().unwrap_or("default".to_string()));
        values
    }

    #[test]
    fn weights_are_a_list_with_defaults() {
        let found = parsed("[0.5, { default = 1, a = 2 }]", weights).map(|all| all.len());
        assert_eq!(found, Ok(2));
        let refused = parsed("{ a = 0.5 }", weights).unwrap_err();
        assert!(refused.contains("one entry for each model"), "{refused}");
        let refused = parsed("[{ lm_head = 0.1 }, 0.5]", weights).unwrap_err();
        assert!(refused.contains("add `default = 1.0`"), "{refused}");
    }

    #[test]
    fn other_values_are_shown() {
        let refused = parsed("\"0.5\"", numbers).unwrap_err();
        assert_eq!(refused, "expected a number, found \"0.5\"");
        let refused = parsed("-1", whole).unwrap_err();
        assert!(refused.contains("found -1"), "{refused}");
        let refused = parsed("\"a\"", |value| list(value, text)).unwrap_err();
        assert!(refused.contains("expected a list"), "{refused}");
    }
}
