//! Signals of the operating system: which stop the server, which reload the code, which are ignored.

use std::io;

/// Signals that stop the server: SIGINT, SIGTERM, SIGQUIT, and SIGHUP when its terminal is closed.
pub(super) struct StopSignals {
    #[cfg(unix)]
    streams: unix::Stop,
}

/// SIGHUP, which reloads the code.
pub(super) struct ReloadSignals {
    #[cfg(unix)]
    streams: unix::Reload,
}

/// Receives signals from this call on, not from the first wait. SIGUSR1 and SIGUSR2 are logged and ignored.
pub(super) fn listen() -> io::Result<(StopSignals, ReloadSignals)> {
    #[cfg(unix)]
    {
        unix::ignore_others()?;
        let terminal = unix::Terminal::now();
        let streams = unix::Stop::listen(terminal)?;
        Ok((StopSignals { streams }, ReloadSignals { streams: unix::Reload::listen(terminal)? }))
    }
    #[cfg(not(unix))]
    Ok((StopSignals {}, ReloadSignals {}))
}

/// Ctrl-C, SIGTERM and SIGQUIT alone, for programs at a terminal.
pub(super) fn listen_for_stop() -> io::Result<StopSignals> {
    #[cfg(unix)]
    return Ok(StopSignals { streams: unix::Stop::listen(unix::Terminal::now())? });
    #[cfg(not(unix))]
    Ok(StopSignals {})
}

impl StopSignals {
    /// Waits for the next signal. Returns the exit code of a process that this signal ends.
    pub(super) async fn next(&mut self) -> u8 {
        #[cfg(unix)]
        return self.streams.next().await;
        #[cfg(not(unix))]
        {
            // Without signals the wait never ends.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            1
        }
    }
}

impl ReloadSignals {
    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        self.streams.next().await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
mod unix {
    use std::io::{self, IsTerminal as _, stdin};

    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// Whether the process was started at a terminal, which sends SIGHUP when it is closed.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Terminal(bool);

    impl Terminal {
        /// Whether the standard input is a terminal now.
        pub(super) fn now() -> Terminal {
            Terminal(stdin().is_terminal())
        }

        fn is_gone(self) -> bool {
            self.0 && !stdin().is_terminal()
        }
    }

    /// The streams of signals that stop the server.
    pub(super) struct Stop {
        interrupt: Signal,
        terminate: Signal,
        quit: Signal,
        hangup: Signal,
        terminal: Terminal,
    }

    impl Stop {
        /// Receives the signals from now on.
        pub(super) fn listen(terminal: Terminal) -> io::Result<Stop> {
            Ok(Stop {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                quit: signal(SignalKind::quit())?,
                hangup: signal(SignalKind::hangup())?,
                terminal,
            })
        }

        /// Waits for the next signal. Returns the exit code of a process that it ends.
        pub(super) async fn next(&mut self) -> u8 {
            loop {
                let kind = tokio::select! {
                    _ = self.interrupt.recv() => SignalKind::interrupt(),
                    _ = self.terminate.recv() => SignalKind::terminate(),
                    _ = self.quit.recv() => SignalKind::quit(),
                    _ = self.hangup.recv() => {
                        if !self.terminal.is_gone() {
                            continue;
                        }
                        SignalKind::hangup()
                    }
                };
                // Shells add 128 to the number of the signal, which is below 32.
                return 128 + kind.as_raw_value() as u8;
            }
        }
    }

    /// The stream of signals that reload the code.
    pub(super) struct Reload {
        hangup: Signal,
        terminal: Terminal,
    }

    impl Reload {
        /// Receives the signal from now on.
        pub(super) fn listen(terminal: Terminal) -> io::Result<Reload> {
            Ok(Reload { hangup: signal(SignalKind::hangup())?, terminal })
        }

        /// Waits for the next signal.
        pub(super) async fn next(&mut self) {
            loop {
                self.hangup.recv().await;
                if !self.terminal.is_gone() {
                    return;
                }
            }
        }
    }

    /// Without this SIGUSR1 and SIGUSR2 would end the process.
    pub(super) fn ignore_others() -> io::Result<()> {
        let (mut one, mut two) = (signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?);
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = one.recv() => "SIGUSR1",
                    _ = two.recv() => "SIGUSR2",
                };
                tracing::debug!("{name} is ignored");
            }
        });
        Ok(())
    }
}
