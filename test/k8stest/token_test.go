package k8stest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// clientOfEnvironment is a client for the cluster that the program is to use.
func clientOfEnvironment() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// federation believes the tokens of a cluster's service accounts, as clouds do to
// which its issuer was made known.
type federation struct {
	issuer, audience string
	keys             map[string]*ecdsa.PublicKey
	late             time.Duration // what its clock is ahead
}

// newFederation takes the issuer and the keys from where a cloud does: the
// discovery document of the cluster
// (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery).
func newFederation(t *testing.T, c *cluster.Cluster, audience string) *federation {
	t.Helper()
	fetch := func(path string, into any) {
		t.Helper()
		text, err := c.Client().Discovery().RESTClient().Get().AbsPath(path).DoRaw(t.Context())
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var document struct{ Issuer string }
	fetch("/.well-known/openid-configuration", &document)
	var set struct {
		Keys []struct{ Kid, X, Y string }
	}
	fetch("/openid/v1/jwks", &set)
	f := &federation{issuer: document.Issuer, audience: audience, keys: map[string]*ecdsa.PublicKey{}}
	for _, key := range set.Keys {
		f.keys[key.Kid] = publicKey(t, key.X, key.Y)
	}
	return f
}

// publicKey is the key with these coordinates (RFC 7518, section 6.2).
func publicKey(t *testing.T, x, y string) *ecdsa.PublicKey {
	t.Helper()
	point := []byte{4} // both follow, uncompressed (SEC 1, section 2.3.3)
	for _, text := range []string{x, y} {
		coordinate, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		point = append(point, coordinate...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// subject is whose token it is: system:serviceaccount:<namespace>:<name>.
func (f *federation) subject(token string) (string, error) {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		if key, ok := f.keys[fmt.Sprint(t.Header["kid"])]; ok {
			return key, nil
		}
		return nil, fmt.Errorf("no key %v", t.Header["kid"])
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(f.issuer), jwt.WithAudience(f.audience), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return time.Now().Add(f.late) }))
	return claims.Subject, err
}
