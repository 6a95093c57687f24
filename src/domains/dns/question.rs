//! One question as it goes over the wire, and what is taken for its answer.

use std::io;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RecordType};

/// Largest answer by UDP that we ask for: no path in use has to cut it into pieces.
const PAYLOAD: u16 = 1232;
/// Octets before the first question.
const HEADER: usize = 12;

/// Whether the server is to ask others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recursion {
    /// It is to answer from what it holds.
    None,
    /// It is to find out.
    Desired,
}

/// A question with an id that can't be guessed.
#[derive(Clone, Debug)]
pub struct Question {
    message: Message,
    octets: Vec<u8>,
}

/// What came back for a question.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Its answer.
    Answer(Box<Message>),
    /// The server can't read questions with EDNS.
    Plain,
}

impl Question {
    /// For all records of one type under one name.
    ///
    /// # Errors
    /// If the name has no room in a message.
    pub fn new(name: &Name, kind: RecordType, recursion: Recursion) -> io::Result<Self> {
        let mut message = Message::query();
        message.metadata.recursion_desired = recursion == Recursion::Desired;
        message.add_query(Query::query(name.clone(), kind));
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD);
        message.set_edns(edns);
        Self::of(message)
    }

    /// The same under another id, for servers that can't read EDNS.
    ///
    /// # Errors
    /// If the name has no room in a message.
    pub fn plain(&self) -> io::Result<Self> {
        let mut message = Message::query();
        message.metadata.recursion_desired = self.message.recursion_desired;
        message.add_queries(self.message.queries.iter().cloned());
        Self::of(message)
    }

    fn of(message: Message) -> io::Result<Self> {
        let octets = message.to_vec().map_err(io::Error::other)?;
        Ok(Self { message, octets })
    }

    /// What is sent.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// What came back, if it is for this very question. Anything else is somebody else's, or nothing that we read.
    pub fn read(&self, octets: &[u8]) -> Option<Reply> {
        if octets.len() < HEADER || octets[..2] != self.octets[..2] {
            return None;
        }
        // What a message says it holds is made room for when it is read.
        match u16::from_be_bytes([octets[4], octets[5]]) {
            0 => refusal(octets),
            1 => self.answer(Message::from_vec(octets).ok()?),
            _ => None,
        }
    }

    fn answer(&self, message: Message) -> Option<Reply> {
        let (asked, answered) = (self.message.queries.first()?, message.queries.first()?);
        let is_ours = message.message_type == MessageType::Response
            && message.op_code == OpCode::Query
            && answered.name() == asked.name()
            && answered.query_type() == asked.query_type()
            && answered.query_class() == DNSClass::IN;
        if !is_ours {
            return None;
        }
        let cant_read = self.message.edns.is_some() && is_unreadable(message.response_code);
        Some(if cant_read { Reply::Plain } else { Reply::Answer(Box::new(message)) })
    }
}

/// Old servers repeat no question that they couldn't read.
fn refusal(octets: &[u8]) -> Option<Reply> {
    let message = Message::from_vec(octets).ok()?;
    let is_one = message.message_type == MessageType::Response && is_unreadable(message.response_code);
    is_one.then_some(Reply::Plain)
}

fn is_unreadable(code: ResponseCode) -> bool {
    matches!(code, ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::BADVERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Message);

    fn name(text: &str) -> Name {
        let mut name = Name::from_ascii(text).unwrap();
        name.set_fqdn(true);
        name
    }

    fn question() -> Question {
        Question::new(&name("www.example.com"), RecordType::A, Recursion::None).unwrap()
    }

    /// The answer that a server would send, with something of it changed.
    fn answer(question: &Question, change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::from_vec(question.octets()).unwrap().into_response();
        change(&mut message);
        message.to_vec().unwrap()
    }

    #[test]
    fn an_answer_to_the_question_is_taken() {
        let question = question();
        let plain = answer(&question, |_| {});
        assert!(matches!(question.read(&plain), Some(Reply::Answer(_))));
        let shouted = answer(&question, |message| {
            message.queries[0].set_name(name("WWW.Example.COM"));
        });
        assert!(matches!(question.read(&shouted), Some(Reply::Answer(_))), "case means nothing in DNS");
    }

    #[test]
    fn an_answer_to_another_question_is_not() {
        let question = question();
        let changes: [(&str, Change); 8] = [
            ("id", |message| message.metadata.id = message.metadata.id.wrapping_add(1)),
            ("a question", |message| message.metadata.message_type = MessageType::Query),
            ("operation", |message| message.metadata.op_code = OpCode::Notify),
            ("name", |message| drop(message.queries[0].set_name(name("www.example.org")).clone())),
            ("type", |message| drop(message.queries[0].set_query_type(RecordType::AAAA).clone())),
            ("class", |message| drop(message.queries[0].set_query_class(DNSClass::CH).clone())),
            ("two questions", |message| message.queries.push(message.queries[0].clone())),
            ("no question", |message| message.queries.clear()),
        ];
        for (what, change) in changes {
            assert!(question.read(&answer(&question, change)).is_none(), "{what}");
        }
        assert!(question.read(&[]).is_none() && question.read(&question.octets()[..11]).is_none());
        let mut many = answer(&question, |_| {});
        many[4..6].copy_from_slice(&[0xff, 0xff]);
        assert!(question.read(&many).is_none());
    }

    #[test]
    fn a_server_that_knows_no_edns_is_asked_without_it() {
        let question = question();
        assert_eq!(Message::from_vec(question.octets()).unwrap().max_payload(), PAYLOAD);
        for code in [ResponseCode::FormErr, ResponseCode::NotImp] {
            let old = answer(&question, |message| message.metadata.response_code = code);
            assert!(matches!(question.read(&old), Some(Reply::Plain)));
            let bare = answer(&question, |message| {
                message.metadata.response_code = code;
                message.queries.clear();
                message.edns = None;
            });
            assert!(matches!(question.read(&bare), Some(Reply::Plain)));
        }
        let plain = question.plain().unwrap();
        assert!(Message::from_vec(plain.octets()).unwrap().edns.is_none());
        let again = answer(&plain, |message| message.metadata.response_code = ResponseCode::FormErr);
        assert!(matches!(plain.read(&again), Some(Reply::Answer(_))), "that is then its answer");
    }
}
