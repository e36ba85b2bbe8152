//! Bits that flip in what the disks of the nodes hold.
//!
//! Only one run of four has them, and chance of its own decides where, so that all other runs are what they were without
//! them.
//!
//! Nothing acknowledged is lost as long as one of the pair keeps its copy. So bits flip on a disk while another node holds
//! all that was acknowledged. If that is not so any more when the process ends, whose memory had it until then, its disk
//! has been well after all: see [`World::lose_or_mend`].
//!
//! Left out are the versions of formats: a file that says to be of a newer program is taken at its word, and the node
//! refuses to run.

use std::path::{Path, PathBuf};

use botellier_server::replication::log::disk::Disk as _;
use botellier_server::replication::log::memory::MemoryDisk;
use botellier_server::replication::stream::Damage;

use crate::faults::{Kind, REGISTRY_ONLY};
use crate::host::Host;
use crate::rng::Rng;
use crate::world::{Item, World};

/// What is in there is of no use any more.
const ASIDE: &str = "/data/damaged";
const META: &str = "/data/meta.json";

/// Bytes with the version in logs and snapshots.
const VERSION: std::ops::Range<usize> = 8..12;

/// Room that nothing was written to is left alone by pieces of this size.
const PIECE_BYTES: usize = 16;

/// Whether bits flip in this run.
pub fn choose(seed: u64, faults: &[Kind]) -> Option<Rng> {
    let any = !faults.is_empty() && faults != REGISTRY_ONLY;
    (any && seed % 4 == 1).then(|| Rng::new(!seed))
}

impl Host {
    /// Whether its disk holds something else than what was written.
    pub fn is_damaged(&self) -> bool {
        self.disk.damaged().iter().any(|path| !path.starts_with(ASIDE))
    }
}

impl World {
    pub fn flip(&mut self) {
        if self.healing {
            return;
        }
        let Some(mut rng) = self.flips.take() else { return };
        let pause = rng.between(self.pace / 2, self.pace * 3);
        self.after(pause, Item::Flip);
        let any = rng.below(self.hosts.len() as u64) as usize;
        let host = if rng.percent(50) { self.leading().unwrap_or(any) } else { any };
        if self.expendable_whatever_comes(host, false)
            && let Some((path, bit)) = self.choose_bit(host, &mut rng)
        {
            self.tell(|| format!("-- bit {bit} of {} flips at n{host}", path.display()));
            self.hosts[host].disk.flip(&path, bit);
            match rng.below(4) {
                // Found by whoever needs it.
                _ if self.hosts[host].process.is_none() => self.lose_or_mend(host),
                0 => {}
                1 => self.power(host),
                _ => self.kill(host, None),
            }
        }
        self.flips = Some(rng);
    }

    fn choose_bit(&self, host: usize, rng: &mut Rng) -> Option<(PathBuf, usize)> {
        let disk = &self.hosts[host].disk;
        let mut paths: Vec<PathBuf> = disk.files().into_iter().map(|(path, _)| path).collect();
        // Without it a node begins anew, and then the registry must not begin anew too.
        let wiped = self.faults.contains(&Kind::ZooWipe);
        paths.retain(|path| !(path.starts_with(ASIDE) || wiped && path == Path::new(META)));
        let path = paths.get(rng.below(paths.len() as u64) as usize)?.clone();
        let bytes = read(disk, &path)?;
        let pieces = bytes.chunks(PIECE_BYTES).enumerate();
        let written = pieces.filter(|(_, piece)| piece.iter().any(|byte| *byte != 0));
        let places: Vec<usize> = written
            .flat_map(|(piece, bytes)| (0..bytes.len()).map(move |byte| piece * PIECE_BYTES + byte))
            .filter(|byte| !is_version(&path, &bytes, *byte))
            .collect();
        let byte = places.get(rng.below(places.len() as u64) as usize)?;
        Some((path, byte * 8 + rng.below(8) as usize))
    }

    /// A process ended whose disk may be damaged. What was in memory is gone: the damage stays if somebody else holds all
    /// that was acknowledged.
    pub fn lose_or_mend(&mut self, host: usize) {
        if !self.hosts[host].is_damaged() {
            return;
        }
        if self.expendable_whatever_comes(host, false) {
            (self.hosts[host].whole, self.hosts[host].left) = (false, None);
        } else {
            self.tell(|| format!("-- the disk of n{host} is well after all"));
            self.hosts[host].disk.mend();
        }
    }

    /// It came to light when it was to be sent.
    pub fn find_damage(&mut self, host: usize, damage: Damage) {
        self.tell(|| format!("n{host} finds that its data is damaged"));
        self.damages_found += 1;
        let generation = self.hosts[host].generation;
        self.with_quietly(host, |process| process.leave_behind(damage));
        self.at(self.now, Item::Mend(host, generation));
    }

    /// Whether a node does not start because it no longer knows who it is: it needs an empty directory.
    pub fn has_no_use_of(&mut self, damaged: &[PathBuf], error: &str) -> bool {
        let refused = damaged.iter().any(|path| path == Path::new(META)) && error.contains(META);
        self.damages_found += u64::from(refused);
        refused
    }
}

fn read(disk: &MemoryDisk, path: &Path) -> Option<Vec<u8>> {
    let file = disk.open(path).ok()?;
    let mut bytes = vec![0; file.size().ok()? as usize];
    let read = file.read_at(0, &mut bytes).ok()?;
    bytes.truncate(read);
    Some(bytes)
}

fn is_version(path: &Path, bytes: &[u8], byte: usize) -> bool {
    const FIELD: &[u8] = b"\"format\": ";
    if path == Path::new(META) {
        let field = bytes.windows(FIELD.len()).position(|window| window == FIELD);
        return field.is_some_and(|at| byte == at + FIELD.len());
    }
    let mark = path.ends_with("synced") || path.ends_with("meta.latest");
    !mark && VERSION.contains(&byte)
}
