//! `botellier-operator`: one program with a few parts to play.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use botellier_operator::crd::names::OPERATOR_PORT;
use botellier_operator::error::Error;
use botellier_operator::leader::sidecar::{self, Me};
use botellier_operator::manifests;
use botellier_operator::metrics::{self, Metrics};
use botellier_operator::prepare;
use botellier_operator::reconcile::program::{self, Replica};
use botellier_operator::validate::Defaults;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, warn};

const USAGE: &str = "\
botellier-operator [COMMAND] [--OPTION VALUE]...

Each option may come from the environment variable in brackets instead.

  run        reconcile Botellier resources (the default)
    --server-image IMAGE      of store nodes [SERVER_IMAGE]
    --operator-image IMAGE    of the router beside each of them [OPERATOR_IMAGE]
    --zookeeper-image IMAGE   of managed ensembles [ZOOKEEPER_IMAGE]
    --cluster-domain DOMAIN   cluster.local unless given [CLUSTER_DOMAIN]
    --namespace NAMESPACE     of the Lease [POD_NAMESPACE]
    --identity NAME           in the Lease [POD_NAME]
  route      publish the store node in this pod while it leads
    --zookeeper HOST:PORT,.../CHROOT
    --slice NAME              the EndpointSlice
               and from the environment POD_NAME, POD_NAMESPACE, POD_IP, NODE_NAME
  prepare    make the volume of a ZooKeeper member ready
    --from DIR --to DIR       templates, volume; and POD_NAME from the environment
  crd        print the CustomResourceDefinition
  manifests  print all generated manifests
    --write DIR               or write them there
  help       print this

Metrics, /livez and /readyz of run and route: port 9122, --metrics-port PORT [METRICS_PORT].
";

/// The options of a command line, and the environment behind them.
struct Options(BTreeMap<String, String>);

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = BTreeMap::new();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let Some(option) = argument.strip_prefix("--") else {
                return Err(format!("{argument} is not an option"));
            };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (option, arguments.next().ok_or_else(|| format!("--{option} needs a value"))?),
            };
            options.insert(name.to_owned(), value);
        }
        Ok(Self(options))
    }

    /// Each command takes its options out; what is left over nobody knows.
    fn take(&mut self, name: &str, variable: &str) -> Option<String> {
        self.0.remove(name).or_else(|| std::env::var(variable).ok()).filter(|value| !value.is_empty())
    }

    fn require(&mut self, name: &str, variable: &str) -> Result<String, String> {
        self.take(name, variable).ok_or_else(|| format!("--{name} or {variable} is needed"))
    }

    fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(unknown) => Err(format!("--{unknown} is not an option of this command")),
            None => Ok(()),
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let command = match arguments.peek() {
        Some(word) if !word.starts_with("--") => arguments.next().unwrap_or_default(),
        Some(word) if word == "--help" => "help".to_owned(),
        _ => "run".to_owned(),
    };
    let result = match command.as_str() {
        "help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        "run" | "route" | "prepare" | "crd" | "manifests" => {
            Options::parse(arguments).and_then(|options| start(&command, options))
        }
        other => Err(format!("{other} is not a command; try help")),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("botellier-operator: {message}");
            ExitCode::FAILURE
        }
    }
}

fn start(command: &str, mut options: Options) -> Result<ExitCode, String> {
    let done =
        |result: Result<(), Error>| result.map(|()| ExitCode::SUCCESS).map_err(|error| error.to_string());
    match command {
        "run" => run(options),
        "route" => route(options),
        "prepare" => {
            let from = options.require("from", "")?;
            let to = options.require("to", "")?;
            let pod = options.require("pod", "POD_NAME")?;
            options.finish()?;
            done(prepare::prepare(Path::new(&from), Path::new(&to), &pod))
        }
        "crd" => {
            options.finish()?;
            done(manifests::crd().map(|text| print!("{text}")))
        }
        _ => {
            let directory = options.take("write", "");
            options.finish()?;
            done(write_manifests(directory.as_deref()))
        }
    }
}

fn write_manifests(directory: Option<&str>) -> Result<(), Error> {
    for (name, text) in manifests::files()? {
        match directory {
            Some(directory) => {
                let path = Path::new(directory).join(name);
                std::fs::write(&path, text).map_err(|error| Error::io(path.display().to_string(), error))?;
            }
            None if name == "kustomization.yaml" => {}
            None => print!("---\n{text}"),
        }
    }
    Ok(())
}

fn run(mut options: Options) -> Result<ExitCode, String> {
    let defaults = Defaults {
        server_image: options.require("server-image", "SERVER_IMAGE")?,
        operator_image: options.require("operator-image", "OPERATOR_IMAGE")?,
        zookeeper_image: options.require("zookeeper-image", "ZOOKEEPER_IMAGE")?,
        cluster_domain: options
            .take("cluster-domain", "CLUSTER_DOMAIN")
            .unwrap_or_else(|| "cluster.local".to_owned()),
    };
    let replica = Replica {
        namespace: options.require("namespace", "POD_NAMESPACE")?,
        identity: options.require("identity", "POD_NAME")?,
    };
    let metrics = Arc::new(Metrics::default());
    let port = metrics_port(&mut options)?;
    options.finish()?;
    in_runtime(false, async move {
        serve_metrics(metrics.clone(), port);
        let client = client().await?;
        let stop = stop_signal().map_err(|error| error.to_string())?;
        let orderly = program::run(client, defaults, replica, metrics, stop).await;
        Ok(if orderly { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn route(mut options: Options) -> Result<ExitCode, String> {
    let connect = options.require("zookeeper", "ZOOKEEPER")?;
    let slice = options.require("slice", "SLICE")?;
    let me = Me {
        pod: options.require("pod", "POD_NAME")?,
        namespace: options.require("namespace", "POD_NAMESPACE")?,
        address: options.require("address", "POD_IP")?,
        node_name: options.take("node-name", "NODE_NAME"),
    };
    let metrics = Arc::new(Metrics::default());
    let port = metrics_port(&mut options)?;
    options.finish()?;
    in_runtime(true, async move {
        serve_metrics(metrics.clone(), port);
        let client = client().await?;
        metrics.ready.set(1);
        let stop = stop_signal().map_err(|error| error.to_string())?;
        sidecar::run(client, connect, slice, me, &metrics, stop).await;
        Ok(ExitCode::SUCCESS)
    })
}

fn metrics_port(options: &mut Options) -> Result<u16, String> {
    match options.take("metrics-port", "METRICS_PORT") {
        Some(port) => port.parse().map_err(|_| format!("{port} is not a port")),
        None => Ok(u16::try_from(OPERATOR_PORT).unwrap_or_default()),
    }
}

fn serve_metrics(metrics: Arc<Metrics>, port: u16) {
    tokio::spawn(async move {
        if let Err(problem) = metrics::serve(metrics, port).await {
            error!(port, %problem, "no metrics are served");
        }
    });
}

async fn client() -> Result<Client, String> {
    Client::try_default().await.map_err(|error| format!("cannot find the API server: {error}"))
}

/// A router needs one thread; it sits beside every store node.
fn in_runtime(
    small: bool,
    program: impl Future<Output = Result<ExitCode, String>>,
) -> Result<ExitCode, String> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BOTELLIER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let mut builder = if small {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = builder.enable_all().build().map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(program)
}

fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => warn!("SIGTERM"),
            _ = interrupt.recv() => warn!("SIGINT"),
        }
    })
}
