//! Only the XML that NVIDIA's RIMs use: elements, attributes in double quotes, namespaces, text.
//!
//! There is no declaration, document type, comment, processing instruction, CDATA section, entity or carriage return, and no
//! character beyond ASCII. Any document with one of these is refused, so that what is hashed and what is read cannot differ.

use std::collections::BTreeMap;

use crate::{Rejection, transcript::ensure};

/// The largest RIM that is read; NVIDIA's have up to 26 KiB.
pub const MAX_RIM_SIZE: usize = 64 * 1024;
/// NVIDIA's RIMs nest six deep.
const MAX_DEPTH: usize = 12;
/// NVIDIA's RIMs have 90 elements.
const MAX_ELEMENTS: usize = 1024;
/// NVIDIA's elements have at most 13 attributes.
const MAX_ATTRIBUTES: usize = 80;

/// An element and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// The name as written, which canonical XML repeats.
    pub(crate) qualified: &'a str,
    pub(crate) name: Name<'a>,
    /// The namespaces that this element declares, by prefix; the default one has none.
    pub(crate) declared: Scope<'a>,
    /// In canonical order: by namespace, then by local name. None appears twice.
    pub(crate) attributes: Vec<Attribute<'a>>,
    pub(crate) children: Vec<Node<'a>>,
}

/// What a name means, regardless of its prefix. Names without a namespace come first, as in canonical XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name<'a> {
    pub(crate) namespace: Option<&'a str>,
    pub(crate) local: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: Name<'a>,
    /// As written.
    pub(crate) qualified: &'a str,
    pub(crate) value: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node<'a> {
    Element(Element<'a>),
    Text(&'a str),
}

impl<'a> Element<'a> {
    pub(crate) fn is(&self, namespace: &str, local: &str) -> bool {
        self.name.namespace == Some(namespace) && self.name.local == local
    }

    /// The value of an attribute without a namespace.
    pub(crate) fn attribute(&self, local: &str) -> Option<&'a str> {
        self.find(None, local)
    }

    pub(crate) fn attribute_in(&self, namespace: &str, local: &str) -> Option<&'a str> {
        self.find(Some(namespace), local)
    }

    fn find(&self, namespace: Option<&str>, local: &str) -> Option<&'a str> {
        let named = |it: &&Attribute<'_>| it.name.local == local && it.name.namespace == namespace;
        self.attributes.iter().find(named).map(|it| it.value)
    }

    /// The elements in it. `None` if there is text between them other than white space.
    pub(crate) fn elements(&self) -> Option<Vec<&Self>> {
        let mut elements = Vec::new();
        for child in &self.children {
            match child {
                Node::Element(element) => elements.push(element),
                Node::Text(text) if is_blank(text) => {}
                Node::Text(_) => return None,
            }
        }
        Some(elements)
    }

    /// The text in it. `None` if there are elements.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match &self.children[..] {
            [] => Some(""),
            [Node::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// Reads a document: one element, and at most white space after it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element<'_>, Rejection> {
    if bytes.len() > MAX_RIM_SIZE {
        return Err(Rejection::RimTooLarge { found: bytes.len() });
    }
    if !bytes
        .iter()
        .all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~'))
    {
        return Err(refuse("a character outside printable ASCII"));
    }
    let text = str::from_utf8(bytes).map_err(|_| refuse("a character outside printable ASCII"))?;
    let mut parser = Parser {
        rest: text,
        elements: 0,
    };
    let root = parser.element(&Scope::default(), 0)?;
    ensure(is_blank(parser.rest), || {
        refuse("something after its last tag")
    })?;
    Ok(root)
}

/// The namespace that a prefix stands for; without a prefix, the default one.
///
/// No name here is ever an empty text: comparing those took a seventh of a GPU's whole verification time, since the C library's
/// `memcmp` can be very slow on empty input.
pub(crate) type Scope<'a> = BTreeMap<Option<&'a str>, &'a str>;

/// The scope inside an element with declarations.
pub(crate) fn extended<'a>(outer: &Scope<'a>, declared: &Scope<'a>) -> Scope<'a> {
    let mut scope = outer.clone();
    scope.extend(declared);
    scope
}

struct Parser<'a> {
    rest: &'a str,
    elements: usize,
}

/// A start tag before its prefixes are resolved.
struct Tag<'a> {
    qualified: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    empty: bool,
}

impl<'a> Parser<'a> {
    fn element(&mut self, outer: &Scope<'a>, depth: usize) -> Result<Element<'a>, Rejection> {
        self.elements += 1;
        if depth >= MAX_DEPTH || self.elements > MAX_ELEMENTS {
            return Err(refuse("more elements, or deeper ones, than a RIM has"));
        }
        let tag = self.start_tag()?;
        let mut element = resolve(&tag, outer)?;
        if tag.empty {
            return Ok(element);
        }
        let inner;
        let scope = if element.declared.is_empty() {
            outer
        } else {
            inner = extended(outer, &element.declared);
            &inner
        };
        loop {
            let end = self
                .rest
                .find('<')
                .ok_or_else(|| refuse("an element without an end"))?;
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            if text.bytes().any(|byte| matches!(byte, b'&' | b'>')) {
                return Err(refuse("an entity or a bare `>`"));
            }
            if !text.is_empty() {
                element.children.push(Node::Text(text));
            }
            if let Some(rest) = self.rest.strip_prefix("</") {
                let rest = rest.strip_prefix(tag.qualified).map(str::trim_ascii_start);
                self.rest = rest
                    .and_then(|it| it.strip_prefix('>'))
                    .ok_or_else(|| refuse("an end tag of a different element"))?;
                return Ok(element);
            }
            element
                .children
                .push(Node::Element(self.element(scope, depth + 1)?));
        }
    }

    fn start_tag(&mut self) -> Result<Tag<'a>, Rejection> {
        self.expect("<", "something other than an element")?;
        let qualified = self.name()?;
        let mut attributes = Vec::new();
        loop {
            let after_space = self.rest.trim_ascii_start();
            if let Some(rest) = after_space.strip_prefix("/>") {
                self.rest = rest;
                return Ok(Tag {
                    qualified,
                    attributes,
                    empty: true,
                });
            }
            if let Some(rest) = after_space.strip_prefix('>') {
                self.rest = rest;
                return Ok(Tag {
                    qualified,
                    attributes,
                    empty: false,
                });
            }
            if after_space.len() == self.rest.len() {
                return Err(refuse("a tag that cannot be read"));
            }
            self.rest = after_space;
            let name = self.name()?;
            self.expect("=\"", "an attribute that is not in double quotes")?;
            let (value, rest) = self
                .rest
                .split_once('"')
                .ok_or_else(|| refuse("an attribute without an end"))?;
            // White space would be normalised, and `<`, `&` and `>` escaped; RIMs contain none of these.
            let escaped = |byte| matches!(byte, b'<' | b'>' | b'&' | b'\n' | b'\t');
            if value.bytes().any(escaped) {
                return Err(refuse("an entity or a control character in an attribute"));
            }
            self.rest = rest;
            attributes.push((name, value));
            if attributes.len() > MAX_ATTRIBUTES {
                return Err(refuse("an element with more attributes than a RIM has"));
            }
        }
    }

    fn name(&mut self) -> Result<&'a str, Rejection> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b":_-.".contains(&byte);
        let end = self.rest.bytes().position(|byte| !is_part(byte));
        let end = end.unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if !name
            .split(':')
            .all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
        {
            return Err(refuse("something other than an element or attribute name"));
        }
        self.rest = rest;
        Ok(name)
    }

    fn expect(&mut self, wanted: &str, otherwise: &'static str) -> Result<(), Rejection> {
        self.rest = self
            .rest
            .strip_prefix(wanted)
            .ok_or_else(|| refuse(otherwise))?;
        Ok(())
    }
}

/// Turns prefixes into namespaces.
fn resolve<'a>(tag: &Tag<'a>, outer: &Scope<'a>) -> Result<Element<'a>, Rejection> {
    let mut declared = BTreeMap::new();
    for &(name, value) in &tag.attributes {
        let prefix = match name.split_once(':') {
            None if name == "xmlns" => None,
            Some(("xmlns", prefix)) => Some(prefix),
            _ => continue,
        };
        if value.is_empty()
            || matches!(prefix, Some("xmlns" | "xml"))
            || declared.insert(prefix, value).is_some()
        {
            return Err(refuse("a namespace that is declared twice, or not at all"));
        }
    }
    let holds = |prefix| {
        declared
            .get(&prefix)
            .or_else(|| outer.get(&prefix))
            .copied()
    };
    let lookup = |qualified: &'a str, default: Option<&'a str>| match qualified.split_once(':') {
        None => Ok(Name {
            namespace: default,
            local: qualified,
        }),
        Some((prefix, local)) if !local.contains(':') => {
            let namespace = holds(Some(prefix));
            ensure(namespace.is_some(), || refuse("an undeclared prefix"))?;
            Ok(Name { namespace, local })
        }
        Some(_) => Err(refuse("a name with two colons")),
    };
    let name = lookup(tag.qualified, holds(None))?;
    let mut attributes = Vec::new();
    for &(qualified, value) in &tag.attributes {
        if qualified == "xmlns" || qualified.starts_with("xmlns:") {
            continue;
        }
        attributes.push(Attribute {
            // The default namespace does not apply to attributes.
            name: lookup(qualified, None)?,
            qualified,
            value,
        });
    }
    attributes.sort_unstable_by_key(|it| it.name);
    let twice = |pair: &[Attribute<'_>]| matches!(pair, [a, b] if a.name == b.name);
    if attributes.windows(2).any(twice) {
        return Err(refuse("an attribute that appears twice"));
    }
    Ok(Element {
        qualified: tag.qualified,
        name,
        declared,
        attributes,
        children: Vec::new(),
    })
}

fn is_blank(text: &str) -> bool {
    text.trim_ascii().is_empty()
}

fn refuse(what: &'static str) -> Rejection {
    Rejection::RimXml { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_by_namespace() {
        let root = parse(b"<a xmlns=\"u\" xmlns:p=\"v\" k=\"1\" p:k=\"2\"><p:b/>\n<b>x</b></a>\n")
            .expect("a document");
        assert!(root.is("u", "a"));
        assert_eq!(
            (root.attribute("k"), root.attribute_in("v", "k")),
            (Some("1"), Some("2"))
        );
        let [first, second] = root.elements().expect("elements")[..] else {
            panic!("two")
        };
        assert!(first.is("v", "b") && second.is("u", "b"));
        assert_eq!(second.text(), Some("x"));
    }

    #[test]
    fn refuses_whatever_rims_do_not_have() {
        for bad in [
            "",
            "text",
            "<?xml version=\"1.0\"?><a/>",
            "<!DOCTYPE a><a/>",
            "<!-- a --><a/>",
            " <a/>",
            "<a><!-- b --></a>",
            "<a><![CDATA[b]]></a>",
            "<a><?b?></a>",
            "<a>&amp;</a>",
            "<a>></a>",
            "<a b=\"&#10;\"/>",
            "<a b=\"<\"/>",
            "<a b=\"\n\"/>",
            "<a b='c'/>",
            "<a b=c/>",
            "<a b/>",
            "<a b=\"c\"d=\"e\"/>",
            "<a b=\"c\" b=\"d\"/>",
            "<a xmlns:p=\"u\" xmlns:q=\"u\" p:b=\"c\" q:b=\"d\"/>",
            "<a xmlns:p=\"u\" xmlns:p=\"u\"/>",
            "<a xmlns=\"\"/>",
            "<a xmlns:p=\"\"/>",
            "<a xmlns:xml=\"u\"/>",
            "<a xml:base=\"u\"/>",
            "<p:a/>",
            "<a p:b=\"c\"/>",
            "<a xmlns:p=\"u\"><p:b:c/></a>",
            "<a></b>",
            "<a></ab>",
            "<a>",
            "<a",
            "<a/><b/>",
            "<a/>x",
            "<1a/>",
            "<:a/>",
            "<a:/>",
            "<a>\r</a>",
            "<a>\u{e9}</a>",
            "<a>\0</a>",
        ] {
            let refused = parse(bad.as_bytes()).map_err(|it| it.code());
            assert_eq!(refused, Err("rim_xml"), "{bad:?}");
        }
    }

    #[test]
    fn bounds_depth_elements_attributes_and_size() {
        let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        let broad = format!(
            "<a{}/>",
            (0..=MAX_ATTRIBUTES).fold(String::new(), |text, it| format!("{text} a{it}=\"\""))
        );
        let deeper = format!(
            "{}{}",
            "<a>".repeat(MAX_DEPTH + 1),
            "</a>".repeat(MAX_DEPTH + 1)
        );
        let deep_enough = deeper.replacen("<a>", "", 1).replacen("</a>", "", 1);
        assert!(parse(deep_enough.as_bytes()).is_ok(), "as deep as may be");
        for bad in [deep, deeper, wide, broad] {
            assert_eq!(
                parse(bad.as_bytes()).map_err(|it| it.code()),
                Err("rim_xml")
            );
        }
        let large = vec![b' '; MAX_RIM_SIZE + 1];
        assert_eq!(
            parse(&large),
            Err(Rejection::RimTooLarge {
                found: MAX_RIM_SIZE + 1
            })
        );
    }
}
