//! One line for each check, as the programs in other languages print it.

use std::error::Error;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use redis::Client;

pub type Outcome = Result<(), Box<dyn Error>>;

/// A client of the Service, over RESP3.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let (host, port) = (std::env::var("REDIS_HOST")?, std::env::var("REDIS_PORT")?);
    Ok(Client::open(format!("redis://{host}:{port}/?protocol=resp3"))?)
}

#[derive(Default)]
pub struct Results {
    failed: bool,
}

impl Results {
    pub fn add(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => println!("ok {name}"),
            Err(why) => {
                self.failed = true;
                println!("not ok {name}: {}", why.to_string().replace('\n', " "));
            }
        }
    }

    pub fn end(&self) -> ! {
        std::process::exit(i32::from(self.failed))
    }
}

pub fn equal<T: PartialEq + Debug>(got: T, wanted: T) -> Outcome {
    if got == wanted { Ok(()) } else { Err(format!("{got:?} instead of {wanted:?}").into()) }
}

pub fn that(what: &str, holds: bool) -> Outcome {
    if holds { Ok(()) } else { Err(format!("not so: {what}").into()) }
}

pub async fn eventually(
    what: &str,
    mut condition: impl AsyncFnMut() -> Result<bool, Box<dyn Error>>,
) -> Outcome {
    let until = Instant::now() + Duration::from_secs(10);
    while !condition().await? {
        that(what, Instant::now() < until)?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
