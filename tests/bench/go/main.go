// Google's verifiers, as Debian packages them, on the evidence that everybody here verifies.
//
// Prints lines of JSON like the programs beside it. Both fetch collateral through an interface: here it is in memory.
package main

import (
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	sevabi "github.com/google/go-sev-guest/abi"
	sevpb "github.com/google/go-sev-guest/proto/sevsnp"
	sevverify "github.com/google/go-sev-guest/verify"
	tdxverify "github.com/google/go-tdx-guest/verify"
	"github.com/google/logger"
)

const samples = 101

func main() {
	logger.Init("", false, false, io.Discard)
	vectors := os.Args[1]
	row("snp", "go-sev-guest "+os.Args[2], snp(filepath.Join(vectors, "snp")))
	row("tdx", "go-tdx-guest "+os.Args[3], tdx(filepath.Join(vectors, "tdx"), true))
	row("tdx", "go-tdx-guest "+os.Args[3]+", chain and signatures alone", tdx(filepath.Join(vectors, "tdx"), false))
}

func row(subject, verifier string, work func() error) {
	var result map[string]any
	if median, err := measure(work); err != nil {
		result = map[string]any{"Err": "not run: " + strings.ReplaceAll(err.Error(), "\n", " ")}
	} else {
		result = map[string]any{"Ok": median}
	}
	line, _ := json.Marshal(map[string]any{
		"subject": subject, "kind": "peer", "verifier": verifier, "library": "Go's", "result": result,
	})
	fmt.Println(string(line))
}

func measure(work func() error) (float64, error) {
	var taken []float64
	for n := 0; n < samples; n++ {
		before := cpu()
		if err := work(); err != nil {
			return 0, err
		}
		taken = append(taken, cpu()-before)
	}
	sort.Float64s(taken)
	return taken[len(taken)/2], nil
}

// CPU time of this process in milliseconds, the garbage collector's included.
func cpu() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e6
}

func read(path ...string) []byte {
	bytes, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		panic(err)
	}
	return bytes
}

type sevGetter struct{ crl []byte }

func (g sevGetter) Get(url string) ([]byte, error) {
	if strings.HasSuffix(url, "/crl") {
		return g.crl, nil
	}
	return nil, errors.New("offline: " + url)
}

func snp(folder string) func() error {
	report := read(folder, "milan-v3-ms", "report.bin")
	vcek := read(folder, "milan-v3-ms", "vcek.der")
	authorities := read(folder, "roots", "milan_cert_chain.pem")
	ask, rest := pem.Decode(authorities)
	ark, _ := pem.Decode(rest)
	getter := sevGetter{read(folder, "crls", "milan_2026-08.crl.der")}
	return func() error {
		proto, err := sevabi.ReportToProto(report)
		if err != nil {
			return err
		}
		chain := &sevpb.CertificateChain{VcekCert: vcek, AskCert: ask.Bytes, ArkCert: ark.Bytes}
		return sevverify.SnpAttestation(
			&sevpb.Attestation{Report: proto, CertificateChain: chain},
			&sevverify.Options{
				CheckRevocations: true, DisableCertFetching: true, Getter: getter, Now: time.Unix(1788220800, 0),
			},
		)
	}
}

type collateral struct {
	PckCrlIssuerChain     string `json:"pck_crl_issuer_chain"`
	RootCaCrl             string `json:"root_ca_crl"`
	PckCrl                string `json:"pck_crl"`
	TcbInfoIssuerChain    string `json:"tcb_info_issuer_chain"`
	TcbInfo               string `json:"tcb_info"`
	TcbInfoSignature      string `json:"tcb_info_signature"`
	QeIdentityIssuerChain string `json:"qe_identity_issuer_chain"`
	QeIdentity            string `json:"qe_identity"`
	QeIdentitySignature   string `json:"qe_identity_signature"`
}

type answer struct {
	header map[string][]string
	body   []byte
}

type tdxGetter map[string]answer

func (g tdxGetter) Get(url string) (map[string][]string, []byte, error) {
	for part, found := range g {
		if strings.Contains(url, part) {
			return found.header, found.body, nil
		}
	}
	return nil, nil, errors.New("offline: " + url)
}

func tdx(folder string, whole bool) func() error {
	quote := read(folder, "quotes", "v4-phala", "quote.bin")
	var c collateral
	if err := json.Unmarshal(read(folder, "collateral", "b0c06f-2025-06", "collateral.json"), &c); err != nil {
		panic(err)
	}
	bytes := func(text string) []byte {
		out, err := hex.DecodeString(text)
		if err != nil {
			panic(err)
		}
		return out
	}
	chain := func(name, pem string) map[string][]string {
		return map[string][]string{name: {url.QueryEscape(pem)}}
	}
	getter := tdxGetter{
		"/pckcrl": {chain("Sgx-Pck-Crl-Issuer-Chain", c.PckCrlIssuerChain), bytes(c.PckCrl)},
		"/tcb?": {
			chain("Tcb-Info-Issuer-Chain", c.TcbInfoIssuerChain),
			[]byte(`{"tcbInfo":` + c.TcbInfo + `,"signature":"` + c.TcbInfoSignature + `"}`),
		},
		"/qe/identity": {
			chain("Sgx-Enclave-Identity-Issuer-Chain", c.QeIdentityIssuerChain),
			[]byte(`{"enclaveIdentity":` + c.QeIdentity + `,"signature":"` + c.QeIdentitySignature + `"}`),
		},
		"RootCA": {nil, bytes(c.RootCaCrl)},
	}
	return func() error {
		return tdxverify.RawTdxQuote(quote, &tdxverify.Options{
			CheckRevocations: whole, GetCollateral: whole, Getter: getter, Now: time.Unix(1752919234, 0),
		})
	}
}
