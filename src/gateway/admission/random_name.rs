//! Names that nobody can guess.

use super::denied::Denied;

/// A random name of letters and digits. It begins with a letter, because digits with an "e" among them are a number in YAML.
pub fn random_name() -> Result<String, Denied> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|_| Denied::unavailable("the system gives no random numbers"))?;
    Ok(bytes.iter().fold("n".to_owned(), |hex, byte| hex + &format!("{byte:02x}")))
}
