//! Canonical XML of what [`super::xml`] reads: the bytes that a RIM's digest and signature cover.
//!
//! W3C Canonical XML 1.1, inclusive. For documents without entities, comments and `xml:` attributes that means: declarations
//! first, then attributes in order, double quotes, no empty-element tags, and text unchanged.

use super::xml::{Attribute, Element, Node, Scope, extended};

/// The canonical bytes of an element, which inherits the namespaces of its ancestors.
pub(crate) fn canonical(apex: &Element<'_>, inherited: &Scope<'_>) -> String {
    let mut out = String::new();
    // The apex repeats every namespace in scope: forgetting them is the usual mistake with SignedInfo.
    let in_scope = extended(inherited, &apex.declared);
    write(apex, &in_scope, &in_scope, &mut out);
    out
}

/// `in_scope` are the namespaces in effect here, `declared` those that no ancestor in the output has declared.
fn write<'a>(element: &Element<'a>, in_scope: &Scope<'a>, declared: &Scope<'a>, out: &mut String) {
    out.push('<');
    out.push_str(element.qualified);
    // A map is ordered by key, and the default namespace, which has no prefix, comes first.
    for (prefix, namespace) in declared {
        match prefix {
            None => push(&[" xmlns=\"", namespace, "\""], out),
            Some(prefix) => push(&[" xmlns:", prefix, "=\"", namespace, "\""], out),
        }
    }
    for Attribute {
        qualified, value, ..
    } in &element.attributes
    {
        push(&[" ", qualified, "=\"", value, "\""], out);
    }
    out.push('>');
    for child in &element.children {
        match child {
            Node::Text(text) => out.push_str(text),
            Node::Element(child) if child.declared.is_empty() => {
                write(child, in_scope, &Scope::new(), out);
            }
            Node::Element(child) => {
                let mut new = child.declared.clone();
                new.retain(|prefix, namespace| in_scope.get(prefix) != Some(namespace));
                write(child, &extended(in_scope, &child.declared), &new, out);
            }
        }
    }
    push(&["</", element.qualified, ">"], out);
}

fn push(parts: &[&str], out: &mut String) {
    for part in parts {
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::xml::parse, *};

    fn of(text: &str) -> String {
        canonical(&parse(text.as_bytes()).expect("a document"), &Scope::new())
    }

    #[test]
    fn orders_declarations_and_attributes() {
        assert_eq!(
            of(
                "<a  z=\"1\" q:b=\"2\" xmlns:q=\"a\" xmlns:p=\"b\" p:a=\"3\" xmlns=\"c\" b=\"4\" />\n"
            ),
            "<a xmlns=\"c\" xmlns:p=\"b\" xmlns:q=\"a\" b=\"4\" z=\"1\" q:b=\"2\" p:a=\"3\"></a>"
        );
    }

    #[test]
    fn does_not_repeat_a_declaration_that_holds_already() {
        assert_eq!(
            of("<a xmlns=\"u\"><b xmlns=\"u\"><c xmlns=\"v\"><d xmlns=\"u\"/></c></b></a>"),
            "<a xmlns=\"u\"><b><c xmlns=\"v\"><d xmlns=\"u\"></d></c></b></a>"
        );
    }

    #[test]
    fn an_inner_apex_inherits_namespaces() {
        let inner = parse(b"<b k=\"1\">\n</b >").expect("a document");
        let inherited = Scope::from([(None, "u"), (Some("p"), "v")]);
        assert_eq!(
            canonical(&inner, &inherited),
            "<b xmlns=\"u\" xmlns:p=\"v\" k=\"1\">\n</b>"
        );
    }
}
