//! `NodePath` as a text and as the names of which it consists on the wire. It knows nothing of bytes.

use super::VariantError;

/// The parts of a path: the names of nodes, and behind them the names of properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) absolute: bool,
    pub(super) names: Vec<&'a str>,
    pub(super) subnames: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    /// Splits a text as Godot does: `/root/Level:position:x`. Slashes that follow each other count as one.
    ///
    /// # Errors
    /// [`VariantError::Text`] if the name of a property is empty, which Godot refuses too.
    pub(super) fn of(path: &'a str) -> Result<Self, VariantError> {
        let (nodes, properties) = match path.split_once(':') {
            Some((nodes, properties)) => (nodes, Some(properties)),
            None => (path, None),
        };
        let names = nodes.split('/').filter(|name| !name.is_empty()).collect();
        let subnames: Vec<_> = properties.into_iter().flat_map(|properties| properties.split(':')).collect();
        if subnames.contains(&"") {
            return Err(VariantError::Text);
        }
        Ok(Self { absolute: nodes.starts_with('/'), names, subnames })
    }

    /// The text, from which the same parts come again.
    ///
    /// # Errors
    /// [`VariantError::Text`] if there is none: a name is empty or holds what separates names.
    pub(super) fn join(&self) -> Result<String, VariantError> {
        let mut path = String::from(if self.absolute { "/" } else { "" });
        path.push_str(&self.names.join("/"));
        for subname in &self.subnames {
            path.push(':');
            path.push_str(subname);
        }
        let again = Parts::of(&path)?;
        let same =
            (again.absolute, &again.names, &again.subnames) == (self.absolute, &self.names, &self.subnames);
        if same { Ok(path) } else { Err(VariantError::Text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_as_godot_splits_them() {
        let parts = |path| Parts::of(path).map(|it| (it.absolute, it.names, it.subnames));
        assert_eq!(parts("/root/Level:position:x"), Ok((true, vec!["root", "Level"], vec!["position", "x"])));
        assert_eq!(parts("../a//b/"), Ok((false, vec!["..", "a", "b"], vec![])));
        assert_eq!(parts(""), Ok((false, vec![], vec![])));
        assert_eq!(parts(":x"), Ok((false, vec![], vec!["x"])));
        assert_eq!(parts("a:"), Err(VariantError::Text));
    }

    #[test]
    fn names_that_hold_separators_have_no_text() {
        for (names, subnames) in
            [(vec!["a/b"], vec![]), (vec!["a:b"], vec![]), (vec![""], vec![]), (vec![], vec!["a:b"])]
        {
            assert_eq!(Parts { absolute: false, names, subnames }.join(), Err(VariantError::Text));
        }
    }
}
