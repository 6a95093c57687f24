//! What the servers of a zone say together. Pure.

use std::collections::BTreeSet;

use super::LookError;
use super::answer::{Answer, Datum, Kind, Nothing};
use crate::domains::dns::Sight;

/// What one server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The server's name.
    pub(super) server: String,
    /// Its answer.
    pub(super) answer: Answer,
}

/// What was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The zone whose servers were asked.
    pub(super) zone: &'a str,
    /// The name.
    pub(super) name: &'a str,
    /// The type.
    pub(super) kind: Kind,
}

/// What all that answer say. Who isn't responsible, or doesn't answer, isn't counted.
///
/// # Errors
/// If they don't say the same, or nobody says anything.
pub(super) fn agree(asked: Asked<'_>, all: &[Said]) -> Result<Answer, LookError> {
    let mut spoken = all.iter().filter(|said| said.answer.is_spoken());
    let Some(first) = spoken.next() else {
        return Err(LookError::Unanswered { zone: asked.zone.to_owned() });
    };
    let mut common = first.answer.clone();
    for said in spoken {
        common = both(common, &said.answer).ok_or_else(|| LookError::Disagree {
            zone: asked.zone.to_owned(),
            one: first.server.clone(),
            other: said.server.clone(),
            kind: asked.kind,
            name: asked.name.to_owned(),
        })?;
    }
    Ok(common)
}

/// Whether all that answer show a text; `None` if nobody answers.
pub(super) fn sight(all: &[Said], text: &str) -> Option<Sight> {
    let mut spoken = all.iter().filter(|said| said.answer.is_spoken()).peekable();
    spoken.peek()?;
    let missing = spoken.find(|said| !shows(&said.answer, text));
    Some(missing.map_or(Sight::Everywhere, |said| Sight::NotAt(said.server.clone())))
}

fn shows(answer: &Answer, text: &str) -> bool {
    match answer {
        Answer::Records(data) => {
            data.iter().any(|datum| matches!(datum, Datum::Text(shown) if shown == text))
        }
        _ => false,
    }
}

/// Nothing is nothing, for however long each of them has it remembered. Of several addresses each server may show
/// others, as those do that spread a load: together they show all.
fn both(one: Answer, other: &Answer) -> Option<Answer> {
    match (one, other) {
        (Answer::Nothing(one), Answer::Nothing(other)) => Some(Answer::Nothing(Nothing {
            ttl: one.ttl.max(other.ttl),
            zone: one.zone.or_else(|| other.zone.clone()),
        })),
        (Answer::Records(mut one), Answer::Records(other)) if of_addresses(&one) && of_addresses(other) => {
            one.extend(other.iter().cloned());
            Some(Answer::Records(one))
        }
        (one, other) => (one == *other).then_some(one),
    }
}

fn of_addresses(data: &BTreeSet<Datum>) -> bool {
    data.iter().all(|datum| matches!(datum, Datum::Address(_)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ASKED: Asked<'static> = Asked { zone: "example.com", name: "www.example.com", kind: Kind::Txt };

    fn said(answers: Vec<Answer>) -> Vec<Said> {
        let named = |(at, answer)| Said { server: format!("ns{at}.example.net"), answer };
        answers.into_iter().enumerate().map(named).collect()
    }

    fn text(text: &str) -> Answer {
        Answer::Records([Datum::Text(text.into())].into())
    }

    fn nothing(seconds: Option<u64>, zone: Option<&str>) -> Answer {
        Answer::Nothing(Nothing { ttl: seconds.map(Duration::from_secs), zone: zone.map(str::to_owned) })
    }

    #[test]
    fn all_that_answer_have_to_say_the_same() {
        let agreed = |answers| agree(ASKED, &said(answers));
        assert_eq!(agreed(vec![text("a"), text("a")]), Ok(text("a")));
        assert_eq!(agreed(vec![Answer::Lame, text("a"), Answer::Silent]), Ok(text("a")), "one is enough");
        for other in [text("b"), nothing(None, None), Answer::Alias("a".into())] {
            let error = agreed(vec![Answer::Lame, text("a"), other, text("a")]).unwrap_err();
            let LookError::Disagree { one, other, .. } = &error else { panic!("{error}") };
            assert_eq!((one.as_str(), other.as_str()), ("ns1.example.net", "ns2.example.net"));
        }
        let unanswered = LookError::Unanswered { zone: "example.com".into() };
        assert_eq!(agreed(vec![Answer::Lame, Answer::Silent]), Err(unanswered.clone()));
        assert_eq!(agreed(Vec::new()), Err(unanswered));
    }

    #[test]
    fn addresses_are_those_that_any_server_shows() {
        let at = |address: &str| Datum::Address(address.parse().unwrap());
        let all = vec![
            Answer::Records([at("192.0.2.1"), at("192.0.2.2")].into()),
            Answer::Records([at("192.0.2.2"), at("192.0.2.3")].into()),
        ];
        let together = [at("192.0.2.1"), at("192.0.2.2"), at("192.0.2.3")];
        assert_eq!(agree(ASKED, &said(all)), Ok(Answer::Records(together.into())));
        for other in [nothing(None, None), Answer::Alias("a".into())] {
            let all = vec![Answer::Records([at("192.0.2.1")].into()), other];
            assert!(matches!(agree(ASKED, &said(all)), Err(LookError::Disagree { .. })));
        }
    }

    #[test]
    fn nothing_is_the_same_however_it_is_said() {
        let all = vec![nothing(None, None), nothing(Some(5), Some("example.com")), nothing(Some(9), None)];
        assert_eq!(agree(ASKED, &said(all)), Ok(nothing(Some(9), Some("example.com"))));
    }

    #[test]
    fn a_text_shows_where_all_that_answer_show_it() {
        let sight = |answers| sight(&said(answers), "a");
        assert_eq!(sight(vec![text("a"), Answer::Lame, text("a")]), Some(Sight::Everywhere));
        for other in [text("b"), nothing(None, None), Answer::Alias("a".into())] {
            let missing = Sight::NotAt("ns1.example.net".into());
            assert_eq!(sight(vec![text("a"), other, text("b")]), Some(missing));
        }
        assert_eq!(sight(vec![Answer::Lame, Answer::Lame]), None);
        assert_eq!(sight(Vec::new()), None);
    }
}
