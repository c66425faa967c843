# Every command a person types, one line each.
.PHONY: help demo demo-pay demo-network voice run check test test-chain test-examples test-postgres test-packages test-chart test-operator test-fleet test-vllm wheel test-python test-c share test-install vectors bench bench-serve bench-attest bench-relay bench-boot bench-receipts bench-pay bench-network boots fuzz mutants proof image image-h100 engines-h100 wasm test-wasm lock lint reproduce reproduce-h100 setup doctor

help:              ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /make \1\t/p' Makefile
demo: setup image  ## boot a measured VM, verify it, and ask it something
	@scripts/demo
demo-pay: setup image ## pay for an answer and a transcription on a local chain, and settle to the nano (compiles whisper.cpp once)
	@scripts/demo-pay
demo-network: setup image ## two directories, three providers and eight clients on a local chain: choice, prices, a death, lies, rewards (VM=1: real VMs)
	@scripts/demo-network
voice: setup image ## have a recorded voice message written down (compiles whisper.cpp once, some minutes; no VM)
	@scripts/voice
run: setup image   ## boot it and keep it running until Ctrl-C
	@scripts/run
check: setup       ## the one-minute loop: fmt, clippy and the library tests of what changed (no image, no VM)
	@scripts/check
test: setup image  ## run every test, with the real VM and real clients
	@scripts/test
test-chain: setup  ## the purse in both emulators: the contract's tests, 100,000 random scripts, TonClient (needs Node)
	@scripts/test-chain
test-examples: setup ## the examples: the bot between fakes of Telegram and of the proxy, the reseller, each language (ENCLAVE=1: a real enclave)
	@scripts/test-examples
test-postgres: setup ## a directory and a fleet's cashiers in PostgreSQL (needs Debian's package postgresql)
	@scripts/test-postgres
test-packages: setup ## the Debian package in a clean Debian, the OCI image in podman, the units by systemd (as root)
	@scripts/test-packages
test-chart:        ## the Helm chart, by Helm itself and by the schemas of Kubernetes (from PyPI)
	@scripts/test-chart
test-operator: setup ## the fleet's operator with the real kubectl, in a cluster of ours whose pods are processes (kubectl from PyPI)
	@scripts/test-operator
test-fleet: setup image ## ten paid enclaves as processes and one cashier: rolled, drained, two killed; every receipt claimed once (FLEET=10)
	@scripts/test-fleet
test-vllm: setup   ## vLLM on this machine's CPU, in its room (fetches and unpacks gigabytes; not part of make test)
	@scripts/test-vllm
wheel: setup       ## build/wheel: the Python package chrysalis-verify, for pip (PROFILE=dev: sooner, unoptimised)
	@scripts/wheel
test-python: setup ## the wheel in fresh environments of the oldest and the newest Python here (QUICK=1: without an enclave)
	@scripts/test-python
test-c: setup      ## the C library: a program in C, asked about every vector under ASan and valgrind
	@scripts/test-c
share: setup       ## build/share: completions for bash, zsh and fish, and the manual pages of chrysalis
	@scripts/share
test-install: setup ## cargo install chrysalis, from the packages that would be published, into an empty root (DEBUG=1: sooner)
	@scripts/test-install
vectors:           ## get the real evidence that this repository may not ship (FROM=DIR: from a folder)
	@scripts/vectors $(if $(FROM),--from "$(FROM)")
bench: setup       ## CPU time of verification, compared with the bare signatures and with other verifiers
	@scripts/bench
bench-serve: setup ## the whole path from client to engine, compared with the same engine bare
	@scripts/bench-serve
bench-attest: setup ## fresh bundles a second for thousands of clients, and what a verifier that remembers saves
	@scripts/bench-attest
bench-relay: setup ## the relay, compared with socat and HAProxy, and with 10,000 idle connections
	@scripts/bench-relay
bench-boot: setup image ## a boot by stage, compared with the kernel alone
	@scripts/bench-boot
bench-receipts: setup ## what receipts cost on one core: made, accepted, and in bytes
	@scripts/bench-receipts
bench-pay: setup   ## what a claim costs, and how many the local chain takes
	@scripts/bench-pay
bench-network: setup ## how many listings and reports a directory takes on one core, while a thousand clients poll it
	@scripts/bench-network
boots: setup image ## boot the kernel alone under OVMF, BOOTS times (50): does it ever stall?
	@scripts/boots
fuzz: setup        ## feed every parser mutated simulated evidence for a minute (FUZZ_SECONDS=N, TARGETS="rim ocsp")
	@scripts/fuzz
mutants: setup     ## run the verifier's tests with each of its guards off, one at a time (GUARDS="snp-4 bind-5")
	@scripts/mutants
proof:             ## check the models of docs/proof with Verifpal (MODELS="gpu relay")
	@scripts/proof
image: setup       ## build the image, the demonstration's disks and their configuration: build/cpu, build/disks, build/demo.toml
	@scripts/image
image-h100: setup  ## build/h100: the image for NVIDIA's H100, with compiled kernel modules (fetches files under NVIDIA's licence)
	@scripts/image-h100
engines-h100: setup ## the disk of vLLM for NVIDIA's H100: build/disks (fetches 5 GB, some of it under NVIDIA's licences)
	@scripts/engines-h100
reproduce: setup   ## build the image again in another userland and compare every byte (as root; FAST=1: the enclave alone)
	@scripts/reproduce cpu
reproduce-h100: setup  ## the same for both images; the H100's kernel modules are compiled twice, too
	@scripts/reproduce cpu h100
wasm: setup        ## the verifier for browsers and Node: build/npm, and the page docs/verify.html, the same bytes everywhere
	@scripts/wasm
test-wasm: wasm    ## that it says what the command line says, over every vector and in Chromium; and what it costs
	@scripts/test-wasm
lock: setup        ## refresh the pins of images/lock.toml, images/toolchain.lock.toml and images/wasm.lock.toml
	@cargo run -q -p chrysalis-image -- lock
	@cargo run -q -p chrysalis-image -- lock --tools images/wasm.toml
lint: setup        ## fmt, clippy, rustdoc, cargo-deny, the arrows, the enclave's dependency list
	@scripts/lint
doctor: setup      ## what this machine has, and what is missing
	@scripts/doctor
setup:
	@scripts/setup
