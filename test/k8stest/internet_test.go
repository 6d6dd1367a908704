package k8stest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// internet is the hosts of a cloud, under their real names: a proxy leads there,
// and nowhere else, and they have certificates of an authority of their own.
type internet struct {
	certificates string   // of the authority, PEM
	variables    []string // NAME=value, of those who go there
}

// newInternet starts hosts, by name or by domain (".example.com"), which programs
// and pods reach.
func newInternet(t *testing.T, c *cluster.Cluster, hosts map[string]http.Handler) *internet {
	t.Helper()
	certificate, authority := certificateFor(t, slices.Collect(maps.Keys(hosts)))
	of := func(host string) (http.Handler, bool) {
		handler, ok := hosts[host]
		if _, domain, found := strings.Cut(host, "."); !ok && found {
			handler, ok = hosts["."+domain]
		}
		return handler, ok
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, ok := of(r.Host)
		if !ok {
			http.Error(w, "no such host", http.StatusMisdirectedRequest)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		if _, ok := of(host); r.Method != http.MethodConnect || !ok {
			t.Errorf("the proxy was asked for %s %s", r.Method, r.Host)
			http.Error(w, "no such host", http.StatusForbidden)
			return
		}
		tunnel(t, w, server.Listener.Addr().String())
	}))
	proxy.Listener.Close()
	proxy.Listener = c.Listen(t)
	proxy.Start()
	t.Cleanup(proxy.Close)
	return &internet{authority, []string{
		"HTTPS_PROXY=http://" + proxy.Listener.Addr().String(),
		"NO_PROXY=10.0.0.0/8", // the cluster
	}}
}

// tunnel connects a client of the proxy with a server, until either hangs up.
func tunnel(t *testing.T, w http.ResponseWriter, address string) {
	server, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer server.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer client.Close()
	io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		io.Copy(server, buffered)
		server.Close()
	}()
	io.Copy(client, server)
}

// certificateFor makes a certificate for hosts, which is its own authority.
func certificateFor(t *testing.T, hosts []string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "internet"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		if strings.HasPrefix(host, ".") {
			host = "*" + host
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(text)
}

// environment is what a program on this machine needs to go there.
func (i *internet) environment(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, []byte(i.certificates), 0o644); err != nil {
		t.Fatal(err)
	}
	return append(slices.Clone(i.variables), "SSL_CERT_FILE="+path)
}

// passOn sends requests on to an emulator, changed.
func passOn(t *testing.T, emulator string, change func(*http.Request)) http.Handler {
	t.Helper()
	target, err := url.Parse(emulator)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			change(r.Out)
			r.SetURL(target)
		},
		ErrorLog: log.New(io.Discard, "", 0), // clients that left
	}
}
