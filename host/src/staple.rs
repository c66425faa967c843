//! What AMD has signed about this machine, fetched ahead of need into the state folder and handed to the enclave, which
//! carries it beside its report: a relying party then asks nobody.
//!
//! Fetching is a courtesy and may fail. The run goes on: a relying party without these objects refuses, and fetches them.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use chrysalis_attestation::{
    bundle::Endorsements,
    snp::{
        needs::Chip,
        product::{Cpuid, Product},
        tcb::Tcb,
    },
};
use chrysalis_collateral::{
    Anchors, Fetcher, Http, Limits, Mirrors, Refresh, Store, System, Wish, World,
};
use sev::firmware::host::Firmware;

use crate::services::Endorser;

/// The longest that a launch waits for AMD.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store, and the chip that it is filled for.
pub(crate) struct Stapler {
    store: Store,
    chip: Chip,
    mirrors: Mirrors,
}

/// Fills a store for this machine's chip; nobody endorses where that cannot even be tried, and a line says why.
pub(crate) async fn of_this_machine(folder: &Path, mirrors: &[Mirrors]) -> Endorser {
    match this_chip().and_then(|chip| Stapler::new(folder, chip, mirrors)) {
        Ok(stapler) => {
            let stapler = Arc::new(stapler);
            Arc::clone(&stapler).fetch().await;
            Endorser::Stapled(stapler)
        }
        Err(error) => {
            eprintln!(
                "nothing is stapled: {error:#}\nhint: relying parties then run `chrysalis fetch` themselves"
            );
            Endorser::Nobody
        }
    }
}

impl Stapler {
    fn new(folder: &Path, chip: Chip, mirrors: &[Mirrors]) -> anyhow::Result<Self> {
        let mut all = Mirrors::default();
        for mirror in mirrors {
            all.extend(mirror.clone());
        }
        Ok(Self {
            store: Store::open_or_create(folder)?,
            chip,
            mirrors: all,
        })
    }

    /// Fetches what is missing or ends soon. What fails is told, and tried again the next time.
    pub(crate) async fn fetch(self: Arc<Self>) {
        let fetching = tokio::task::spawn_blocking(move || {
            self.fetch_as(&Anchors::vendors(), &System::new());
        });
        // It ends early only with the whole program.
        let _ = fetching.await;
    }

    fn fetch_as(&self, anchors: &Anchors, world: &dyn World) {
        let mut fetcher = Fetcher {
            store: &self.store,
            mirrors: &self.mirrors,
            anchors,
            http: &Http::new(),
            world,
            limits: Limits {
                total: PATIENCE,
                ..Limits::default()
            },
            hear: &mut |_| (),
        };
        for gathered in fetcher.gather(&Wish::of_chip(self.chip.clone()), Refresh::Due) {
            if let Err(failure) = gathered.outcome {
                let (object, error) = (gathered.object, failure.error);
                eprintln!("{object} was not fetched: {error}\nhint: {}", error.hint());
            }
        }
    }

    /// What is in the store for the chip.
    pub(crate) fn endorsements(&self) -> Endorsements {
        self.store
            .for_chip(self.chip.clone())
            .unwrap_or_else(|error| {
                eprintln!("nothing is stapled: {error}\nhint: {}", error.hint());
                Endorsements::default()
            })
    }
}

/// This machine's chip at the level that its reports name.
fn this_chip() -> anyhow::Result<Chip> {
    let cpus = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let product =
        product(&cpus).context("this CPU is of no product line that AMD has a root for")?;
    let denied = "cannot ask /dev/sev, which wants root";
    let mut firmware = Firmware::open().context(denied)?;
    let identity = firmware.get_identifier().context(denied)?;
    let status = firmware.snp_platform_status().context(denied)?;
    let tcb = status.reported_tcb_version;
    Ok(Chip {
        products: vec![product],
        hardware_id: identity
            .0
            .iter()
            .copied()
            .take(product.hardware_id_size())
            .collect(),
        tcb: Tcb {
            fmc: tcb.fmc.filter(|_| product == Product::Turin),
            bootloader: tcb.bootloader,
            tee: tcb.tee,
            snp: tcb.snp,
            microcode: tcb.microcode,
        },
    })
}

/// By the first CPU; a machine's are alike.
fn product(cpus: &str) -> Option<Product> {
    let value = |name: &str| {
        cpus.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == name)
            .and_then(|(_, value)| value.trim().parse().ok())
    };
    Product::of(Cpuid {
        family: value("cpu family")?,
        model: value("model")?,
        stepping: value("stepping")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::tests::processor;
    use chrysalis_attestation::{
        snp::Roots,
        snp::{needs::ReportKey, needs::report_key},
    };
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpListener,
    };

    #[test]
    fn a_cpu_is_told_by_its_family_and_model() {
        let cpus = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping\t: 1\n";
        assert_eq!(product(cpus), Some(Product::Genoa));
        assert_eq!(
            product(&cpus.replace(": 25", ": 26").replace(": 17", ": 2")),
            Some(Product::Turin)
        );
        assert_eq!(product(&cpus.replace(": 25", ": 6")), None);
        assert_eq!(product(""), None);
    }

    /// Answers every path that ends so with these bytes.
    fn service(answers: Vec<(&'static str, Vec<u8>)>) -> Mirrors {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("amd=http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                lines.find(String::is_empty);
                let known = answers.iter().find(|(part, _)| first.contains(part));
                let (status, body) = known.map_or((404, &[][..]), |(_, body)| (200, &body[..]));
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = connection.write_all(&[head.as_bytes(), body].concat());
            }
        });
        base.parse().unwrap()
    }

    #[test]
    fn staples_what_was_fetched_for_the_chip() {
        let mut processor = processor([5; 32]);
        let signed = processor.endorsements().unwrap();
        let ReportKey::Chip(chip) = report_key(&processor.report([6; 64])).unwrap() else {
            panic!("a VCEK signs")
        };
        let mirrors = service(vec![
            ("/crl ", signed.crls[0].clone()),
            ("blSPL=", signed.certificates[0].clone()),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let stapler = Stapler::new(folder.path(), chip, &[mirrors]).unwrap();
        assert_eq!(stapler.endorsements(), Endorsements::default());
        let anchors = Anchors {
            amd: Roots::amd().and_simulated(processor.root_sha256()),
            ..Anchors::vendors()
        };
        // The root and its intermediate are in no verifier of AMD's; here they stand in for the pinned ones.
        let wish = Wish::of_report(&processor.report([6; 64]), &signed.certificates[1..]).unwrap();
        let gathered = Fetcher {
            store: &stapler.store,
            mirrors: &stapler.mirrors,
            anchors: &anchors,
            http: &Http::new(),
            world: &System::new(),
            limits: Limits::default(),
            hear: &mut |_| (),
        }
        .gather(&wish, Refresh::Due);
        assert!(gathered.iter().all(|it| it.outcome.is_ok()), "{gathered:?}");
        let found = stapler.endorsements();
        assert_eq!(found.certificates, signed.certificates[..1]);
        assert_eq!(found.crls, signed.crls);
    }

    #[test]
    fn staples_nothing_that_is_not_amds() {
        let mut processor = processor([5; 32]);
        let signed = processor.endorsements().unwrap();
        let ReportKey::Chip(chip) = report_key(&processor.report([6; 64])).unwrap() else {
            panic!("a VCEK signs")
        };
        let mirrors = service(vec![("", signed.certificates[0].clone())]);
        let folder = tempfile::tempdir().unwrap();
        let stapler = Stapler::new(folder.path(), chip, &[mirrors]).unwrap();
        stapler.fetch_as(&Anchors::vendors(), &System::new());
        assert_eq!(stapler.endorsements(), Endorsements::default());
    }
}
