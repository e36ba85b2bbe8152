//! A blocking RESP2 client with short time limits: as much as the writer needs.
//!
//! An error here never says whether the server carried out the command; only a reply does.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Largest bulk string or array that is believed: more means that the bytes are not RESP.
const LENGTH_MAX: i64 = 64 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Option<String>),
    Array(Vec<Reply>),
}

pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects, at most in `connect_limit`; from then on no read or write waits for longer than `limit`.
    pub fn connect(address: SocketAddr, connect_limit: Duration, limit: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, connect_limit)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub fn call(&mut self, command: &[&str]) -> io::Result<Reply> {
        self.stream.get_mut().write_all(&encode(command))?;
        read_reply(&mut self.stream)
    }

    /// Sends several commands at once; their replies, in order.
    pub fn call_all(&mut self, commands: &[Vec<String>]) -> io::Result<Vec<Reply>> {
        let mut bytes = Vec::new();
        for command in commands {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            bytes.extend_from_slice(&encode(&words));
        }
        self.stream.get_mut().write_all(&bytes)?;
        commands.iter().map(|_| read_reply(&mut self.stream)).collect()
    }
}

fn encode(command: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for word in command {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn read_reply(stream: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    let rest = line.get(1..).ok_or_else(|| malformed("empty reply"))?;
    match line.as_bytes()[0] {
        b'+' => Ok(Reply::Status(rest.to_owned())),
        b'-' => Ok(Reply::Error(rest.to_owned())),
        b':' => rest.parse().map(Reply::Integer).map_err(|_| malformed("bad integer")),
        b'$' => read_bulk(stream, number(rest)?),
        b'*' => {
            (0..number(rest)?.max(0)).map(|_| read_reply(stream)).collect::<io::Result<_>>().map(Reply::Array)
        }
        _ => Err(malformed("unknown type of reply")),
    }
}

fn number(text: &str) -> io::Result<i64> {
    let number = text.parse().map_err(|_| malformed("bad number"))?;
    if number > LENGTH_MAX { Err(malformed("too long")) } else { Ok(number) }
}

fn read_bulk(stream: &mut impl BufRead, length: i64) -> io::Result<Reply> {
    if length < 0 {
        return Ok(Reply::Bulk(None));
    }
    let mut bytes = vec![0; length as usize + 2];
    stream.read_exact(&mut bytes)?;
    bytes.truncate(length as usize);
    String::from_utf8(bytes).map(|text| Reply::Bulk(Some(text))).map_err(|_| malformed("not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str) -> io::Result<Reply> {
        read_reply(&mut bytes.as_bytes())
    }

    #[test]
    fn encodes_a_command_as_an_array_of_bulk_strings() {
        assert_eq!(encode(&["GET", "ké"]), "*2\r\n$3\r\nGET\r\n$3\r\nké\r\n".as_bytes());
    }

    #[test]
    fn reads_every_type() {
        assert_eq!(read("+OK\r\n").unwrap(), Reply::Status("OK".into()));
        assert_eq!(read("-ERR no\r\n").unwrap(), Reply::Error("ERR no".into()));
        assert_eq!(read(":-3\r\n").unwrap(), Reply::Integer(-3));
        assert_eq!(read("$-1\r\n").unwrap(), Reply::Bulk(None));
        assert_eq!(read("$2\r\n\r\n\r\n").unwrap(), Reply::Bulk(Some("\r\n".into())));
        assert_eq!(
            read("*2\r\n$1\r\na\r\n:1\r\n").unwrap(),
            Reply::Array(vec![Reply::Bulk(Some("a".into())), Reply::Integer(1)])
        );
    }

    #[test]
    fn a_reply_cut_short_is_no_reply() {
        for cut in ["", "+OK", ":12", "$3\r\nab", "*2\r\n:1\r\n"] {
            assert!(read(cut).is_err(), "{cut:?}");
        }
    }
}
