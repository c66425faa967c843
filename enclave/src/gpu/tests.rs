//! The walk with NVIDIA's GPUs, whose worker is played by a thread: the simulated vendor's evidence, over the real protocol.
//! Each test also compares what the worker was asked with what it may be asked.

use std::{
    io::Write,
    os::unix::net::UnixStream as StdUnixStream,
    sync::{LazyLock, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use chrysalis_attestation::policy::Policy;
use chrysalis_simulate::{
    Nvidia as Vendor,
    nvidia::{Gpu, opaque},
};
use chrysalis_wire::{
    frame::{self, MAX_FRAME},
    gpu::{Answer, FromGpus, MAX_GPUS, Missing, State, Tested, ToGpus},
};
use data_encoding::BASE64;
use tokio::net::UnixStream;

use super::{worker::Lost, *};

const NONCE: [u8; 32] = [7; 32];
const ASKED: ToGpus = ToGpus::Evidence { nonce: NONCE };
const SOUND: State = State {
    gpus: 1,
    confidential: true,
    production: true,
    devtools: false,
};

/// What a worker does when it is asked.
enum Reply {
    Says(FromGpus),
    Writes(Vec<u8>),
    Ends,
    Hangs,
}
use Reply::{Ends, Hangs, Says, Writes};

/// Replies, and the code or the words that they must end in.
type Replies<const N: usize> = [(fn() -> Reply, &'static str); N];

fn vendor() -> &'static Vendor {
    static VENDOR: LazyLock<Vendor> = LazyLock::new(|| Vendor::from_seed(&[5; 32], clock::now()));
    &VENDOR
}

/// What an honest GPU answers, as the driver gives it.
fn answer(gpu: &Gpu, nonce: &[u8; 32]) -> Answer {
    let GpuEvidence { report, chain } = gpu.evidence(nonce);
    let pem = |der: &Vec<u8>| {
        let text = BASE64.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    let chain = chain.iter().map(pem).collect::<String>().into_bytes();
    Answer { report, chain }
}

fn h100() -> Tested {
    Tested {
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        capability: (9, 0),
        memory: 80 << 30,
    }
}

fn honest(question: &ToGpus) -> Reply {
    Says(match question {
        ToGpus::State => FromGpus::State(SOUND),
        ToGpus::Evidence { nonce } => FromGpus::Evidence(vec![answer(&vendor().gpu(0), nonce)]),
        ToGpus::SetReady => FromGpus::Ready,
        _ => FromGpus::Tested(vec![h100()]),
    })
}

/// GPUs whose worker does `play`, and what it was asked until they are dropped.
fn gpus(
    roots: NvidiaRoots,
    mut play: impl FnMut(&ToGpus) -> Reply + Send + 'static,
) -> (Gpus, JoinHandle<Vec<ToGpus>>) {
    let (ours, mut theirs) = StdUnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let heard = thread::spawn(move || {
        let mut heard = Vec::new();
        while let Ok(question) = frame::read::<ToGpus>(&mut theirs) {
            let reply = play(&question);
            heard.push(question);
            match reply {
                Says(answer) => frame::write(&mut theirs, &answer).unwrap(),
                Writes(bytes) => theirs.write_all(&bytes).unwrap(),
                Ends => break,
                Hangs => {}
            }
        }
        heard
    });
    let section = "[gpu]\ncount = [1]\nminimum_driver = \"550.54\"\nrevocation = \"stapled\"\n";
    let gpus = Gpus {
        policy: Policy::gpu_of_configuration(section).unwrap().unwrap(),
        answerer: Answerer::Nvidia(Nvidia::played(UnixStream::from_std(ours).unwrap(), roots)),
        known: Known::default(),
    };
    (gpus, heard)
}

/// The simulated vendor's manifests and answers, as a host staples them.
fn stapled() -> &'static Endorsements {
    static STAPLED: LazyLock<Endorsements> = LazyLock::new(|| {
        let GpuCollateral { rims, ocsp } = vendor().collateral(clock::now());
        Endorsements {
            rims,
            ocsp,
            ..Endorsements::default()
        }
    });
    &STAPLED
}

/// The same, whatever the evidence.
async fn staple(_: &[GpuEvidence]) -> Result<Endorsements, HostError> {
    Ok(stapled().clone())
}

/// How the walk ends with a worker that answers one question differently from the honest one, and what it was asked.
async fn end_at(at: ToGpus, reply: fn() -> Reply) -> (GpuError, Vec<ToGpus>) {
    let (gpus, heard) = gpus(vendor().roots(), move |question| {
        if *question == at {
            reply()
        } else {
            honest(question)
        }
    });
    let error = gpus.admit(NONCE, staple).await.unwrap_err();
    drop(gpus);
    (error, heard.join().unwrap())
}

/// The code, and the detail of evidence that was refused.
fn code(error: &GpuError) -> &'static str {
    match error {
        GpuError::Refused { code, .. } => code,
        other => other.code(),
    }
}

#[tokio::test]
async fn gpus_are_verified_then_set_ready_then_tested() {
    let (gpus, heard) = gpus(vendor().roots(), honest);
    gpus.admit(NONCE, staple).await.unwrap();
    // Later clients get evidence about questions of their own.
    let evidence = gpus.ask([8; 32], stapled()).await.unwrap();
    let [evidence] = &evidence[..] else {
        panic!("one GPU")
    };
    assert_eq!(evidence.report[4..36], [8; 32]);
    drop(gpus);
    let later = ToGpus::Evidence { nonce: [8; 32] };
    assert_eq!(
        heard.join().unwrap(),
        [
            ToGpus::State,
            ASKED,
            ToGpus::SetReady,
            ToGpus::SelfTest,
            later
        ]
    );
}

#[tokio::test]
async fn simulated_gpus_behind_a_worker_are_never_set_ready() {
    let (gpus, heard) = gpus(NvidiaRoots::nvidia(), honest);
    let refused = gpus.admit(NONCE, staple).await.unwrap_err();
    assert_eq!(refused.code(), "gpu_refused");
    assert_eq!(code(&refused), "gpu_simulated_root_refused");
    drop(gpus);
    assert_eq!(heard.join().unwrap(), [ToGpus::State, ASKED]);
}

#[tokio::test]
async fn gpus_whose_evidence_is_refused_are_never_set_ready() {
    fn says(change: impl FnOnce(&mut Gpu), nonce: [u8; 32]) -> Reply {
        let mut gpu = vendor().gpu(0);
        change(&mut gpu);
        Says(FromGpus::Evidence(vec![answer(&gpu, &nonce)]))
    }
    let replies: Replies<5> = [
        (|| says(|_| (), [8; 32]), "gpu_nonce_mismatch"),
        (
            || says(|gpu| gpu.measurements.extend([(3, [0; 48])]), NONCE),
            "measurement_mismatch",
        ),
        (
            || Says(FromGpus::Evidence(Vec::new())),
            "gpu_evidence_missing",
        ),
        (
            || {
                let mut answer = answer(&vendor().gpu(0), &NONCE);
                answer.chain = b"no certificates".to_vec();
                Says(FromGpus::Evidence(vec![answer]))
            },
            "gpu_evidence_malformed",
        ),
        (
            || {
                Says(FromGpus::Evidence(vec![
                    answer(&vendor().gpu(0), &NONCE);
                    2
                ]))
            },
            "gpu_count_mismatch",
        ),
    ];
    for (reply, wanted) in replies {
        let (refused, heard) = end_at(ASKED, reply).await;
        assert_eq!(code(&refused), wanted, "{refused}");
        assert_eq!(heard, [ToGpus::State, ASKED], "{wanted}");
    }
}

#[tokio::test]
async fn gpus_without_what_nvidia_says_of_them_are_never_set_ready() {
    let (gpus, heard) = gpus(vendor().roots(), honest);
    let refused = gpus
        .admit(NONCE, async |_| Ok(Endorsements::default()))
        .await
        .unwrap_err();
    assert_eq!(code(&refused), "ocsp_missing", "{refused}");
    drop(gpus);
    assert_eq!(heard.join().unwrap(), [ToGpus::State, ASKED]);
}

#[tokio::test]
async fn gpus_that_protect_nothing_are_named_before_they_are_asked() {
    let states: Replies<3> = [
        (
            || state(|state| state.confidential = false),
            "gpu_not_confidential",
        ),
        (
            || state(|state| state.production = false),
            "gpu_not_confidential",
        ),
        (|| state(|state| state.devtools = true), "gpu_devtools"),
    ];
    for (reply, wanted) in states {
        let (refused, heard) = end_at(ToGpus::State, reply).await;
        assert_eq!(refused.code(), wanted);
        assert_eq!(heard, [ToGpus::State]);
    }
}

fn state(change: fn(&mut State)) -> Reply {
    let mut state = SOUND;
    change(&mut state);
    Says(FromGpus::State(state))
}

#[tokio::test]
async fn a_worker_without_a_gpu_says_so_clearly() {
    let missing: Replies<3> = [
        (|| none(Missing::Device), "gpu_not_found"),
        (|| none(Missing::Driver), "gpu_driver_missing"),
        (
            || {
                let why = "libnvidia-ml.so.1: cannot open shared object file".to_owned();
                none(Missing::Library { why })
            },
            "gpu_driver_missing",
        ),
    ];
    for (reply, wanted) in missing {
        let (refused, _) = end_at(ToGpus::State, reply).await;
        assert_eq!(refused.code(), wanted);
        assert!(
            refused.to_string().starts_with("no GPU found: "),
            "{refused}"
        );
    }
}

fn none(missing: Missing) -> Reply {
    Says(FromGpus::Missing(missing))
}

#[tokio::test]
async fn a_worker_that_dies_breaks_its_protocol_or_says_too_much_is_lost() {
    let too_long = || {
        let length = u32::try_from(MAX_FRAME + 1).unwrap();
        Writes(length.to_le_bytes().to_vec())
    };
    let too_many = || {
        let gpu = answer(&vendor().gpu(0), &NONCE);
        Says(FromGpus::Evidence(vec![gpu; MAX_GPUS + 1]))
    };
    let replies: [(fn() -> Reply, Lost); 5] = [
        (|| Ends, Lost::Ended),
        (
            || Writes(b"\x04\0\0\0\xff\xff\xff\xff".to_vec()),
            Lost::Misspoke,
        ),
        (too_long, Lost::Misspoke),
        (too_many, Lost::Misspoke),
        (|| Says(FromGpus::Ready), Lost::Misspoke),
    ];
    for (reply, wanted) in replies {
        let (error, heard) = end_at(ASKED, reply).await;
        assert!(
            matches!(error, GpuError::WorkerLost(lost) if lost == wanted),
            "{error}"
        );
        assert_eq!(error.code(), "gpu_worker_failed");
        assert_eq!(heard, [ToGpus::State, ASKED]);
    }
}

#[tokio::test]
async fn a_worker_that_says_ready_unasked_is_lost() {
    let (error, heard) = end_at(ASKED, || {
        let evidence = FromGpus::Evidence(vec![answer(&vendor().gpu(0), &NONCE)]);
        let frames = [evidence, FromGpus::Ready].map(|it| frame::encode(&it).unwrap());
        Writes(frames.concat())
    })
    .await;
    assert!(
        matches!(error, GpuError::WorkerLost(Lost::Unasked)),
        "{error}"
    );
    assert_eq!(heard, [ToGpus::State, ASKED]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_hangs_is_given_up() {
    let (gpus, _heard) = gpus(vendor().roots(), |_| Hangs);
    for _ in 0..2 {
        let error = gpus.admit(NONCE, staple).await.unwrap_err();
        assert!(
            matches!(error, GpuError::WorkerLost(Lost::Stalled)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_worker_that_was_lost_is_not_asked_again() {
    let (gpus, heard) = gpus(vendor().roots(), |question| match question {
        ToGpus::Evidence { .. } => Ends,
        other => honest(other),
    });
    for _ in 0..2 {
        let error = gpus.ask(NONCE, stapled()).await.unwrap_err();
        assert!(
            matches!(error, GpuError::WorkerLost(Lost::Ended)),
            "{error}"
        );
    }
    assert_eq!(heard.join().unwrap(), [ASKED]);
}

#[tokio::test]
async fn a_client_that_goes_leaves_the_next_its_own_answer() {
    let (release, released) = mpsc::channel::<()>();
    let (gpus, heard) = gpus(vendor().roots(), move |question| {
        released.recv().unwrap();
        honest(question)
    });
    let (early, collateral) = (Duration::from_millis(20), stapled());
    let gone = tokio::time::timeout(early, gpus.ask([1; 32], collateral)).await;
    assert!(gone.is_err());
    release.send(()).unwrap();
    release.send(()).unwrap();
    gpus.ask(NONCE, collateral).await.unwrap();
    drop(gpus);
    assert_eq!(
        heard.join().unwrap(),
        [ToGpus::Evidence { nonce: [1; 32] }, ASKED]
    );
}

#[tokio::test]
async fn gpus_that_do_not_compute_stop_the_boot() {
    fn tested(change: fn(&mut Tested)) -> Reply {
        let mut gpu = h100();
        change(&mut gpu);
        Says(FromGpus::Tested(vec![gpu]))
    }
    let replies: Replies<5> = [
        (
            || {
                let why = "GPU 0: computes wrongly".to_owned();
                Says(FromGpus::Failed { why })
            },
            "computes wrongly",
        ),
        (
            || Says(FromGpus::Tested(Vec::new())),
            "sees 0 GPUs, and 1 were verified",
        ),
        (|| tested(|gpu| gpu.capability = (8, 9)), "8.9, below 9.0"),
        (|| tested(|gpu| gpu.memory = 1 << 30), "1073741824 bytes"),
        (|| tested(|gpu| gpu.memory = u64::MAX), "bytes of memory"),
    ];
    for (reply, wanted) in replies {
        let (error, _) = end_at(ToGpus::SelfTest, reply).await;
        assert_eq!(error.code(), "gpu_self_test", "{error}");
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[tokio::test]
async fn what_a_worker_says_is_cut_short() {
    let (error, _) = end_at(ToGpus::SetReady, || {
        let why = "é".repeat(MAX_FRAME / 4);
        Says(FromGpus::Failed { why })
    })
    .await;
    assert_eq!(error.code(), "gpu_worker_failed");
    assert!(error.to_string().len() < 1024);
}

#[tokio::test]
async fn a_worker_that_is_not_confined_is_named() {
    let (error, _) = end_at(ToGpus::State, || {
        let why = "no Landlock".to_owned();
        Says(FromGpus::Unconfined { why })
    })
    .await;
    assert_eq!(error.code(), "worker_not_confined");
    assert!(error.to_string().contains("no Landlock"), "{error}");
}

/// What becomes of GPUs that were set ready, and from then on answer questions for evidence like this.
async fn end_later(evidence: fn(&[u8; 32]) -> Vec<Answer>) -> GpuError {
    let mut asked = 0;
    let (gpus, _heard) = gpus(vendor().roots(), move |question| match question {
        ToGpus::Evidence { nonce } if asked > 0 => Says(FromGpus::Evidence(evidence(nonce))),
        ToGpus::Evidence { .. } => {
            asked += 1;
            honest(question)
        }
        other => honest(other),
    });
    gpus.admit(NONCE, staple).await.unwrap();
    let GpuCollateral { rims, ocsp } = vendor().clone().with_gpus(2).collateral(clock::now());
    let collateral = Endorsements {
        rims,
        ocsp,
        ..Endorsements::default()
    };
    gpus.ask([9; 32], &collateral).await.unwrap_err()
}

#[tokio::test]
async fn gpus_that_change_after_they_were_set_ready_are_refused() {
    let error = end_later(|nonce| {
        let mut gpu = vendor().gpu(0);
        gpu.measurements.insert(3, [0; 48]);
        vec![answer(&gpu, nonce)]
    })
    .await;
    assert_eq!(code(&error), "measurement_mismatch", "{error}");
    let error = end_later(|_| Vec::new()).await;
    assert_eq!(code(&error), "gpu_evidence_missing", "{error}");
    let error = end_later(|nonce| {
        let mut gpu = vendor().gpu(0);
        gpu.opaque
            .insert(opaque::DRIVER_VERSION, b"551.00.00\0".to_vec());
        vec![answer(&gpu, nonce)]
    })
    .await;
    assert_eq!(error.code(), "gpu_refused", "{error}");
    // One that is as good as the first, but is not the first.
    let error = end_later(|nonce| vec![answer(&vendor().gpu(1), nonce)]).await;
    assert_eq!(error.code(), "gpu_changed", "{error}");
}

#[tokio::test]
async fn a_sign_of_trouble_is_the_state_or_the_end_of_the_worker() {
    let signs: Replies<4> = [
        (
            || {
                Says(FromGpus::State(State {
                    devtools: true,
                    ..SOUND
                }))
            },
            "gpu_devtools",
        ),
        (
            || {
                Says(FromGpus::State(State {
                    confidential: false,
                    ..SOUND
                }))
            },
            "gpu_not_confidential",
        ),
        (
            || Says(FromGpus::State(State { gpus: 2, ..SOUND })),
            "gpu_changed",
        ),
        (|| Ends, "gpu_worker_failed"),
    ];
    for (reply, wanted) in signs {
        let mut asked = 0;
        let (gpus, _heard) = gpus(vendor().roots(), move |question| match question {
            ToGpus::State if asked > 0 => reply(),
            ToGpus::State => {
                asked += 1;
                honest(question)
            }
            other => honest(other),
        });
        gpus.admit(NONCE, staple).await.unwrap();
        assert_eq!(gpus.trouble().await.code(), wanted);
    }
}
