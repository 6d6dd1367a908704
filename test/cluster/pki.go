package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the certificates of one cluster. It keeps them as files NAME.crt
// and NAME.key in its folder, as the programs want them.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(dir string) (*authority, error) {
	a := &authority{dir: dir}
	key, err := a.newKey("ca")
	if err != nil {
		return nil, err
	}
	a.key = key
	a.cert = certificate(pkix.Name{CommonName: "mops test cluster"})
	a.cert.IsCA, a.cert.BasicConstraintsValid = true, true
	a.cert.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	return a, a.sign("ca", a.cert, key)
}

func (a *authority) crt(name string) string { return filepath.Join(a.dir, name+".crt") }
func (a *authority) pem(name string) string { return filepath.Join(a.dir, name+".key") }

// client makes a certificate for a client: Kubernetes takes the organizations as
// its groups.
func (a *authority) client(name, user string, groups ...string) error {
	c := certificate(pkix.Name{CommonName: user, Organization: groups})
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.issue(name, c)
}

// server makes a certificate for a server under these names and addresses.
func (a *authority) server(name string, hosts ...string) error {
	c := certificate(pkix.Name{CommonName: name})
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	return a.issue(name, c)
}

func certificate(subject pkix.Name) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func (a *authority) issue(name string, c *x509.Certificate) error {
	key, err := a.newKey(name)
	if err != nil {
		return err
	}
	return a.sign(name, c, key)
}

func (a *authority) sign(name string, c *x509.Certificate, key crypto.Signer) error {
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePEM(a.crt(name), "CERTIFICATE", der)
}

// newKey makes NAME.key.
func (a *authority) newKey(name string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(a.pem(name), "EC PRIVATE KEY", private)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
