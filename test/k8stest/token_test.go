package k8stest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
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
		f.keys[key.Kid] = &ecdsa.PublicKey{Curve: elliptic.P256(), X: number(t, key.X), Y: number(t, key.Y)}
	}
	return f
}

// number is one of a key (RFC 7518, section 6.2).
func number(t *testing.T, text string) *big.Int {
	t.Helper()
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(bytes)
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
