//! Users and groups as settings name them. Looks nobody up.

use mainstay_values::Problem;

use crate::reader::Reader;

/// A user's or group's name or number, as text; whether it exists is for whoever switches to it.
pub(crate) fn account(section: &Reader<'_>, key: &'static str) -> Option<String> {
    let item = section.item(key)?;
    let account = match item.value.get_ref().as_integer() {
        Some(number) => number.as_str().to_owned(),
        None => section.get::<String>(key)?,
    };
    let kind = key.rsplit('_').next().unwrap_or(key);
    if account.is_empty() || account.contains([':', '/', ' ']) {
        item.push(
            Problem::new(format!("`{}` is not a {kind}", item.path))
                .expected(format!("a {kind}'s name or number, such as `\"www-data\"`")),
        );
        return None;
    }
    Some(account)
}
