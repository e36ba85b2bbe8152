//! A small RESP2 client: one blocking connection.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Status(String),
    Error(String),
    Int(i64),
    Bulk(Option<String>),
    Array(Option<Vec<Answer>>),
}

impl Answer {
    pub fn text(&self) -> Option<&str> {
        match self {
            Answer::Status(text) | Answer::Bulk(Some(text)) => Some(text),
            _ => None,
        }
    }

    pub fn is_ok(&self) -> bool {
        *self == Answer::Status("OK".into())
    }
}

pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Connect, with a limit on how long any answer may take.
    pub fn connect(port: u16, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    pub fn call(&mut self, words: &[&str]) -> io::Result<Answer> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            write!(request, "${}\r\n{word}\r\n", word.len())?;
        }
        self.0.get_mut().write_all(&request)?;
        self.answer()
    }

    pub fn answer(&mut self) -> io::Result<Answer> {
        Answer::read(&mut self.0)
    }
}

impl Answer {
    pub fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (kind, rest) = line.trim_end().split_at(1);
        let number = || rest.parse::<i64>().map_err(io::Error::other);
        Ok(match kind {
            "+" => Answer::Status(rest.into()),
            "-" => Answer::Error(rest.into()),
            ":" => Answer::Int(number()?),
            "$" if number()? < 0 => Answer::Bulk(None),
            "$" => {
                let mut bytes = vec![0; number()? as usize + 2];
                from.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Answer::Bulk(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            "*" if number()? < 0 => Answer::Array(None),
            "*" => Answer::Array(Some((0..number()?).map(|_| Self::read(from)).collect::<io::Result<_>>()?)),
            other => return Err(io::Error::other(format!("unknown reply type {other}"))),
        })
    }
}
