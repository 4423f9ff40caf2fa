//! The `warren` command: arguments → config → server → signal → stop.

mod systemd;

use std::convert::Infallible;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use warren::config::Config;
use warren::logs;
use warren::perf::{self, PerfArgs};
use warren::server::Server;
use warren::store;

// Allocations are most of what a message costs besides system calls; mimalloc's cost half of the
// system allocator's (measured with `warren perf`, 16-byte messages).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A message broker that speaks AMQP 0-9-1.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
}

#[derive(Subcommand)]
enum Command {
    /// Generate load and measure a broker; works with any AMQP 0-9-1 broker.
    Perf(Box<PerfArgs>),
    /// Look through a data directory that no broker has open, and say what is wrong with it.
    ///
    /// Nothing in it is changed. Exit status: 0 = all is well, 1 = something is damaged or
    /// missing, 2 = it could not be looked at.
    Check {
        /// The data directory.
        dir: PathBuf,
    },
}

#[derive(clap::Args)]
struct ServeArguments {
    /// Settings; without it ./config.toml if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the broker keeps its files.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address to listen on, for AMQP and HTTP.
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,
    /// The AMQP port; 0 lets the system choose.
    #[arg(long, value_name = "P")]
    amqp_port: Option<u16>,
    /// The HTTP port; 0 lets the system choose.
    #[arg(long, value_name = "P")]
    http_port: Option<u16>,
    /// The port of metrics; 0 lets the system choose. With --http-port, 20 above that by default.
    #[arg(long, value_name = "P")]
    prometheus_port: Option<u16>,
    /// Start on a damaged data directory, without what cannot be read. What is lost is logged.
    #[arg(long)]
    salvage: bool,
}

/// [`Command::Check`]: something is damaged or missing.
const DAMAGED: u8 = 1;
/// [`Command::Check`]: it could not be looked at.
const NOT_LOOKED_AT: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Perf(args)) => perf::run(&args),
        Some(Command::Check { dir }) => return check(&dir),
        None => serve(arguments.serve),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says why the command failed; its log may not have been set up.
#[expect(clippy::print_stderr, reason = "the last words of a command go to standard error")]
fn complain(error: &anyhow::Error) {
    eprintln!("warren: {error:#}");
}

#[expect(clippy::print_stdout, reason = "the report is what was asked for")]
fn check(dir: &Path) -> ExitCode {
    match store::check(dir) {
        Ok(report) => {
            print!("{report}");
            if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) }
        }
        Err(error) => {
            complain(&error.into());
            ExitCode::from(NOT_LOOKED_AT)
        }
    }
}

fn serve(arguments: ServeArguments) -> anyhow::Result<()> {
    let config = load(arguments)?;
    let (logs, _set_level) = logs::init(&config.log)?;
    // The allocator asks for huge pages. They make nothing measurably faster here, and an empty
    // broker weigh 46 MB instead of 9.
    if let Err(why) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!("memory comes in huge pages: {why}");
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if config.runtime.threads > 0 {
        runtime.worker_threads(config.runtime.threads);
    }
    runtime.enable_all().build()?.block_on(async {
        let server = Server::start_with(config, logs).await?;
        tracing::info!(
            amqp = %server.amqp_address(),
            http = %server.http_address(),
            prometheus = %server.prometheus_address(),
            version = env!("CARGO_PKG_VERSION"),
            "Warren is ready"
        );
        if let Some(amqps) = server.tls_address() {
            tracing::info!(%amqps, "with TLS");
        }
        if let Some(https) = server.ports().https {
            tracing::info!(%https, "management with TLS");
        }
        systemd::ready();
        let failure = tokio::select! {
            end = wait_for_the_end() => end.map(|()| None)?,
            failure = server.store_failed() => Some(failure),
            never = reload_on_hangup(&server) => match never? {},
            never = systemd::feed_watchdog() => match never {},
        };
        tracing::info!("stopping");
        systemd::stopping();
        server.stop().await;
        tracing::info!("stopped");
        failure.map_or(Ok(()), |failure| Err(anyhow::anyhow!("the store has failed: {failure}")))
    })
}

fn load(arguments: ServeArguments) -> anyhow::Result<Config> {
    let beside = Path::new("config.toml");
    let file = arguments.config.or_else(|| beside.exists().then(|| beside.to_owned()));
    let mut config = Config::load(file.as_deref(), |name| std::env::var(name).ok())?;
    if let Some(dir) = arguments.data_dir {
        config.data.dir = dir;
    }
    if let Some(bind) = arguments.bind {
        config.amqp.bind = bind;
        config.http.bind = bind;
        config.prometheus.bind = bind;
    }
    config.data.salvage = arguments.salvage;
    config.amqp.port = arguments.amqp_port.unwrap_or(config.amqp.port);
    if let Some(port) = arguments.http_port {
        config.http.port = port;
        // 20 above, as RabbitMQ's ports are.
        config.prometheus.port = if port == 0 { 0 } else { port.saturating_add(20) };
    }
    config.prometheus.port = arguments.prometheus_port.unwrap_or(config.prometheus.port);
    Ok(config)
}

/// Reads certificates again on each SIGHUP.
async fn reload_on_hangup(server: &Server) -> anyhow::Result<Infallible> {
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        hangup.recv().await;
        match server.reload_certificates() {
            Ok(()) => tracing::info!("certificates were read again"),
            Err(why) => tracing::error!("certificates stay as they were: {why}"),
        }
    }
}

/// Waits for SIGTERM or SIGINT.
async fn wait_for_the_end() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
