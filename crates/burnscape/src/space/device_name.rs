use burn::tensor::Device;

/// The longest name of a device in reports and errors.
const LONGEST_NAME: usize = 400;
/// What is kept of the end of a longer name: that of a remote device ends with its index.
const END_OF_NAME: usize = 100;

/// The name of a device: Burn's, without the type around it, and shortened.
pub(crate) fn device_name(device: &Device) -> String {
    let full = format!("{:?}", device.clone().inner());
    let short = full.strip_prefix("Device<");
    let short = short.and_then(|name| name.strip_suffix('>'));
    shortened(short.unwrap_or(&full))
}

/// A name without its middle, if it is too long.
fn shortened(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= LONGEST_NAME {
        return name.to_string();
    }
    let first = LONGEST_NAME - END_OF_NAME - 1;
    let last = letters.len() - END_OF_NAME;
    let start = letters[..first].iter().chain(&['…']);
    start.chain(&letters[last..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends() {
        let short = "a".repeat(LONGEST_NAME);
        assert_eq!(shortened(&short), short);
        let long = format!("Remote({}, device_index: 3 }})", "x".repeat(LONGEST_NAME));
        let found = shortened(&long);
        assert_eq!(found.chars().count(), LONGEST_NAME);
        assert!(found.starts_with("Remote(x"), "{found}");
        assert!(found.ends_with(", device_index: 3 })"), "{found}");
    }

    #[cfg(feature = "flex")]
    #[test]
    fn names_are_those_of_burn() {
        let name = device_name(&Device::flex().autodiff());
        assert!(name.starts_with("Flex(") && name.ends_with(')'), "{name}");
    }
}
