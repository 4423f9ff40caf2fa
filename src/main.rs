//! The `warren` command: arguments → config → server → signal → stop.

mod systemd;

use std::convert::Infallible;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use warren::config::Config;
use warren::ctl;
use warren::logs::{self, SetLevel};
use warren::offline;
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
    /// RabbitMQ's command line: rabbitmqctl's and rabbitmq-diagnostics' verbs, over HTTP.
    ///
    /// `warren ctl help` lists them. As a symbolic link called rabbitmqctl, rabbitmq-diagnostics,
    /// rabbitmq-queues, rabbitmq-upgrade or rabbitmq-plugins this program is that tool.
    #[command(disable_help_flag = true)]
    Ctl {
        /// The verb, its arguments and options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// The busiest queues and connections, live; `--once` for scripts. Options as in `ctl`.
    #[command(disable_help_flag = true)]
    Top {
        /// `--once`, `--interval SECONDS`, and whom to ask.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Read settings and say what is wrong with them, or means nothing here.
    ///
    /// TOML, or RabbitMQ's rabbitmq.conf. Exit status: 0 = the broker would start with them.
    Lint {
        /// The file, or a directory of .conf files.
        file: PathBuf,
    },
    /// Everything but messages of a data directory that no broker has open, as JSON: taken out, or put
    /// in. Of a running broker: `warren ctl export_definitions` and `import_definitions`.
    Definitions {
        /// What to do.
        #[command(subcommand)]
        what: Definitions,
    },
    /// Look through a data directory that no broker has open, and say what is wrong with it.
    ///
    /// Nothing in it is changed. Exit status: 0 = all is well, 1 = something is damaged or
    /// missing, 2 = it could not be looked at.
    Check {
        /// The data directory.
        dir: PathBuf,
    },
}

#[derive(Subcommand)]
enum Definitions {
    /// Write them to standard output, or to a file.
    Export {
        /// The file.
        file: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Take those of a file, or of all .json files of a directory; RabbitMQ's exports as well.
    Import {
        /// The file or directory.
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

/// Which data directory.
#[derive(clap::Args)]
struct Place {
    /// Settings; without it ./config.toml if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the broker keeps its files.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(clap::Args, Default)]
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
    let mut words = std::env::args();
    if let Some(tool) = words.next().as_deref().and_then(ctl::tool) {
        return ExitCode::from(ctl::run(Some(tool), words));
    }
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Perf(args)) => perf::run(&args),
        Some(Command::Ctl { words }) => return ExitCode::from(ctl::run(None, words)),
        Some(Command::Top { words }) => {
            let words = std::iter::once("top".to_owned()).chain(words);
            return ExitCode::from(ctl::run(None, words));
        }
        Some(Command::Lint { file }) => lint(&file),
        Some(Command::Definitions { what }) => definitions(what),
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

#[expect(clippy::print_stdout, reason = "the notes are what was asked for")]
fn lint(file: &Path) -> anyhow::Result<()> {
    let config = Config::load(Some(file), |name| std::env::var(name).ok())?;
    config.notes.iter().for_each(|note| println!("{note}"));
    println!("{}: good", file.display());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the definitions are what was asked for")]
fn definitions(what: Definitions) -> anyhow::Result<()> {
    let (Definitions::Export { place, .. } | Definitions::Import { place, .. }) = &what;
    let (config, data_dir) = (place.config.clone(), place.data_dir.clone());
    let mut config = load(&ServeArguments { config, data_dir, ..ServeArguments::default() })?;
    "warn".clone_into(&mut config.log.level);
    let (_logs, _set_level) = logs::init(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match what {
        Definitions::Export { file: None, .. } => {
            println!("{}", runtime.block_on(offline::export(config))?);
        }
        Definitions::Export { file: Some(file), .. } => {
            let definitions = runtime.block_on(offline::export(config))?;
            std::fs::write(&file, definitions).with_context(|| file.display().to_string())?;
        }
        Definitions::Import { file, .. } => runtime.block_on(offline::import(config, &file))?,
    }
    Ok(())
}

fn serve(arguments: ServeArguments) -> anyhow::Result<()> {
    let config = load(&arguments)?;
    let (logs, set_log_level) = logs::init(&config.log)?;
    config.notes.iter().for_each(|note| tracing::warn!("{note}"));
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
            () = server.broker().control.end_asked() => None,
            failure = server.store_failed() => Some(failure),
            never = reload_on_hangup(&server, &arguments, &set_log_level) => match never? {},
            never = follow_log_levels(&server, &set_log_level) => match never {},
            never = systemd::feed_watchdog() => match never {},
        };
        tracing::info!("stopping");
        systemd::stopping();
        server.stop().await;
        tracing::info!("stopped");
        failure.map_or(Ok(()), |failure| Err(anyhow::anyhow!("the store has failed: {failure}")))
    })
}

/// The settings' file: the one that is named, RabbitMQ's, or one that lies there.
fn settings_file(arguments: &ServeArguments) -> Option<PathBuf> {
    let named = ["RABBITMQ_CONFIG_FILE", "RABBITMQ_CONFIG_FILES"];
    let named = named.into_iter().find_map(|name| std::env::var_os(name).map(PathBuf::from));
    // Older RabbitMQs want the name without its end.
    let named = named.map(|file| if file.exists() { file } else { file.with_extension("conf") });
    let beside = || Some(PathBuf::from("config.toml")).filter(|file| file.exists());
    arguments.config.clone().or(named).or_else(beside)
}

fn load(arguments: &ServeArguments) -> anyhow::Result<Config> {
    let file = settings_file(arguments);
    let mut config = Config::load(file.as_deref(), |name| std::env::var(name).ok())?;
    if let Some(dir) = &arguments.data_dir {
        config.data.dir.clone_from(dir);
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

/// Logs as operators ask for.
async fn follow_log_levels(server: &Server, set: &SetLevel) -> Infallible {
    let mut levels = server.broker().control.log_levels();
    loop {
        // The broker, which tells, is there until this ends.
        if levels.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        let Some(level) = levels.borrow_and_update().clone() else { continue };
        if let Err(why) = set(&level) {
            tracing::error!(level, "the log level stays as it was: {why}");
        }
    }
}

/// Reads the settings again on each SIGHUP: certificates and the log's level change at once, of
/// others it is said that they need a restart.
async fn reload_on_hangup(
    server: &Server,
    arguments: &ServeArguments,
    set_log_level: &SetLevel,
) -> anyhow::Result<Infallible> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut current = load(arguments)?;
    loop {
        hangup.recv().await;
        match server.reload_certificates() {
            Ok(()) => tracing::info!("certificates were read again"),
            Err(why) => tracing::error!("certificates stay as they were: {why}"),
        }
        match load(arguments) {
            Ok(new) => {
                take_over(&current, &new, set_log_level);
                current = new;
            }
            Err(why) => tracing::error!("settings stay as they were: {why:#}"),
        }
    }
}

/// Takes what can be taken of new settings.
fn take_over(current: &Config, new: &Config, set_log_level: &SetLevel) {
    for setting in current.differences(new) {
        if setting != "log.level" {
            tracing::warn!("{setting} has changed: that needs a restart");
            continue;
        }
        match set_log_level(&new.log.level) {
            Ok(()) => tracing::info!(level = new.log.level, "log level set"),
            Err(why) => tracing::error!("log.level stays as it was: {why}"),
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
