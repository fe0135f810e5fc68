//! A network that loses things: a TCP proxy that delays, stalls and cuts what passes, asks twice, and restarts.
//!
//! What it does is drawn from a seed, and counted. Threads and blocking calls: one thread waits for connections, two
//! carry each of them. Until [`FaultProxy::begin`] it only passes on.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use super::PATIENCE;
use super::dice::Dice;

/// A connection passes on at most so many bytes before its next fault.
const LONGEST_PEACE: u64 = 24 * 1024;

/// What may happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Bytes come later, for a moment.
    Delay,
    /// They come so much later that the ends may lose patience.
    Stall,
    /// Both ends see the connection closed.
    Close,
    /// Both ends see the connection reset.
    Reset,
    /// Only one end sees the connection reset; the other's bytes are dropped.
    HalfOpen,
    /// Bytes of one direction go nowhere; those of the other arrive.
    OneWay,
    /// A request to resume is made a second time, by a connection that nothing reads.
    Twice,
    /// All connections are reset, and for a while so are new ones.
    Restart,
}

/// A running proxy. Dropping it ends all connections.
pub struct FaultProxy {
    address: SocketAddr,
    network: Arc<Network>,
}

struct Network {
    target: SocketAddr,
    dice: Mutex<Dice>,
    /// Whether faults happen.
    is_faulty: AtomicBool,
    is_over: AtomicBool,
    down_until: Mutex<Instant>,
    faults: Mutex<BTreeMap<Fault, u64>>,
    /// What restarts reset.
    passing: Mutex<Vec<Weak<Pair>>>,
}

/// A client's connection and the one to the target that belongs to it.
struct Pair {
    client: TcpStream,
    target: TcpStream,
    /// What the client sends is not passed on any more, and the same for the target.
    mute: [AtomicBool; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl FaultProxy {
    /// In front of a server.
    pub fn start(target: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let network = Arc::new(Network {
            target,
            dice: Mutex::new(Dice::new(seed)),
            is_faulty: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            down_until: Mutex::new(Instant::now()),
            faults: Mutex::default(),
            passing: Mutex::default(),
        });
        let accepting = network.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.is_over.load(Ordering::Acquire) {
                    break;
                }
                let network = accepting.clone();
                // A connection that cannot be carried is one that was cut.
                thread::spawn(move || network.carry(client).ok());
            }
        });
        Self { address, network }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, also on connections that there are, faults happen.
    pub fn begin(&self) {
        self.network.is_faulty.store(true, Ordering::Release);
    }

    /// From now on nothing happens to what passes.
    pub fn calm(&self) {
        self.network.is_faulty.store(false, Ordering::Release);
    }

    /// How often what happened.
    pub fn faults(&self) -> BTreeMap<Fault, u64> {
        self.network.faults.lock().expect("no thread panics").clone()
    }

    /// Resets every connection, now.
    pub fn cut(&self) {
        self.network.cut();
    }

    /// Resets every connection, also new ones, until [`up`](Self::up).
    pub fn down(&self) {
        *self.network.down_until.lock().expect("no thread panics") = Instant::now() + 2 * PATIENCE;
        self.network.cut();
    }

    pub fn up(&self) {
        *self.network.down_until.lock().expect("no thread panics") = Instant::now();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.network.is_over.store(true, Ordering::Release);
        self.network.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Network {
    fn carry(self: Arc<Self>, mut client: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        let is_down = Instant::now() < *self.down_until.lock().expect("no thread panics");
        if is_down {
            return reset(&client);
        }
        let head = read_head(&mut client)?;
        if self.is_faulty.load(Ordering::Acquire) && is_resumption(&head) && self.below(8) == 0 {
            self.note(Fault::Twice);
            if self.below(2) == 0 {
                self.ask_again(&head)?;
            } else {
                let (network, head, pause) = (self.clone(), head.clone(), self.millis(1, 50));
                thread::spawn(move || {
                    thread::sleep(pause);
                    network.ask_again(&head).ok()
                });
            }
        }
        let mut target = TcpStream::connect(self.target)?;
        target.set_nodelay(true)?;
        target.write_all(&head)?;
        let pair = Arc::new(Pair { client, target, mute: Default::default() });
        {
            let mut passing = self.passing.lock().expect("no thread panics");
            passing.retain(|pair| pair.strong_count() > 0);
            passing.push(Arc::downgrade(&pair));
        }
        let (network, up) = (self.clone(), pair.clone());
        thread::spawn(move || network.pump(&up, Direction::Up));
        self.pump(&pair, Direction::Down);
        Ok(())
    }

    /// Makes a request again, and reads what comes for a moment.
    fn ask_again(&self, head: &[u8]) -> std::io::Result<()> {
        let mut second = TcpStream::connect(self.target)?;
        second.set_read_timeout(Some(self.millis(1, 30)))?;
        second.write_all(head)?;
        // The receiver is gone.
        let _ = second.read(&mut [0; 4096]);
        if self.below(2) == 0 { reset(&second) } else { Ok(()) }
    }

    /// Carries one direction until either end is gone.
    fn pump(&self, pair: &Pair, direction: Direction) {
        let (mut from, to) = pair.ends(direction);
        let mut piece = [0; 8 * 1024];
        let mut peace = self.below(LONGEST_PEACE);
        while let Ok(length @ 1..) = from.read(&mut piece) {
            if pair.mute[direction as usize].load(Ordering::Acquire) {
                continue;
            }
            let mut rest = &piece[..length];
            if self.is_faulty.load(Ordering::Acquire) {
                if peace < rest.len() as u64 {
                    // It may well be in the middle of a frame.
                    let before = usize::try_from(peace).expect("less than what was read");
                    if write(to, &rest[..before]).is_err() {
                        break;
                    }
                    rest = &rest[before..];
                    peace = self.below(LONGEST_PEACE);
                    if !self.happen(pair, direction) {
                        continue;
                    }
                } else {
                    peace -= rest.len() as u64;
                }
            }
            if write(to, rest).is_err() {
                break;
            }
        }
        if !pair.mute[direction as usize].load(Ordering::Acquire) {
            // An end of one direction is passed on as one.
            let _ = to.shutdown(Shutdown::Write);
        }
        let _ = from.shutdown(Shutdown::Read);
    }

    /// Lets a fault happen. Returns whether what was read is still to be passed on.
    fn happen(&self, pair: &Pair, direction: Direction) -> bool {
        let fault = match self.below(40) {
            0..12 => Fault::Delay,
            12..14 => Fault::Stall,
            14..25 => Fault::Close,
            25..36 => Fault::Reset,
            36 => Fault::HalfOpen,
            37..39 => Fault::OneWay,
            _ => Fault::Restart,
        };
        self.note(fault);
        let (from, to) = pair.ends(direction);
        match fault {
            Fault::Delay => thread::sleep(self.millis(1, 20)),
            Fault::Stall => thread::sleep(self.millis(100, 800)),
            Fault::Close => {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            }
            Fault::Reset => pair.reset(),
            Fault::HalfOpen => {
                pair.mute.iter().for_each(|mute| mute.store(true, Ordering::Release));
                let _ = to.shutdown(Shutdown::Both);
            }
            Fault::OneWay => pair.mute[direction as usize].store(true, Ordering::Release),
            Fault::Restart => {
                *self.down_until.lock().expect("no thread panics") = Instant::now() + self.millis(10, 100);
                self.cut();
            }
            Fault::Twice => {}
        }
        matches!(fault, Fault::Delay | Fault::Stall)
    }

    fn cut(&self) {
        for pair in self.passing.lock().expect("no thread panics").drain(..) {
            if let Some(pair) = pair.upgrade() {
                pair.reset();
            }
        }
    }

    fn note(&self, fault: Fault) {
        *self.faults.lock().expect("no thread panics").entry(fault).or_default() += 1;
    }

    fn below(&self, count: u64) -> u64 {
        self.dice.lock().expect("no thread panics").below(count)
    }

    fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least))
    }
}

impl Pair {
    /// Where bytes of a direction come from, and where they go.
    fn ends(&self, direction: Direction) -> (&TcpStream, &TcpStream) {
        match direction {
            Direction::Up => (&self.client, &self.target),
            Direction::Down => (&self.target, &self.client),
        }
    }

    fn reset(&self) {
        self.mute.iter().for_each(|mute| mute.store(true, Ordering::Release));
        // It may be closed already.
        let _ = reset(&self.client);
        let _ = reset(&self.target);
    }
}

/// The connection is reset when its last owner drops it, which this lets happen.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    set_socket_linger(stream, Some(Duration::ZERO))?;
    stream.shutdown(Shutdown::Read)
}

fn write(mut to: &TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes)
}

/// The head of a request.
fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    stream.set_read_timeout(None)?;
    Ok(head)
}

fn is_resumption(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.windows(6).any(|part| part == b"after=")
}
