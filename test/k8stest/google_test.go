package k8stest_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

const googleAccount = "worker@project.iam.gserviceaccount.com"

// google is the metadata server of GKE, the token server for users, and a bucket.
type google struct {
	cluster *cluster.Cluster

	mu      sync.Mutex
	granted map[string]string // whose a token is
	signIns int
	writes  int // of pods
}

// metadata gives a pod tokens of the Google service account that its own names. It
// knows it by the address, as that of GKE does
// (https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity#metadata_server).
func (g *google) metadata(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	account, err := g.accountAt(r)
	switch path := strings.TrimPrefix(r.URL.Path, "/computeMetadata/v1/"); {
	case r.Header.Get("Metadata-Flavor") != "Google":
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
	case path == "universe/universe-domain":
		fmt.Fprint(w, "googleapis.com")
	case path != "instance/service-accounts/default/token":
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case account == "":
		http.Error(w, "Unable to generate access token; IAM returned 403 Forbidden: Permission 'iam.serviceAccounts.getAccessToken' denied", http.StatusForbidden)
	default:
		g.mu.Lock()
		g.signIns++
		g.mu.Unlock()
		g.grant(w, account)
	}
}

// accountAt is the Google service account of the pod that sent a request.
func (g *google) accountAt(r *http.Request) (string, error) {
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "", err
	}
	client := g.cluster.Client().CoreV1()
	at := v1.ListOptions{FieldSelector: "status.podIP=" + address + ",status.phase=Running"}
	pods, err := client.Pods("").List(r.Context(), at)
	for err == nil && len(pods.Items) == 0 && sleep.For(r.Context(), 100*time.Millisecond) { // a kubelet tells late that a pod runs
		pods, err = client.Pods("").List(r.Context(), at)
	}
	if err != nil || len(pods.Items) != 1 {
		return "", fmt.Errorf("%d pods are at %s: %w", len(pods.Items), address, err)
	}
	pod := pods.Items[0]
	account, err := client.ServiceAccounts(pod.Namespace).Get(r.Context(), pod.Spec.ServiceAccountName, v1.GetOptions{})
	if err != nil {
		return "", err
	}
	return account.Annotations["iam.gke.io/gcp-service-account"], nil
}

func (g *google) grant(w http.ResponseWriter, whose string) {
	token := rand.Text()
	g.mu.Lock()
	g.granted[token] = whose
	g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token": "%s", "expires_in": 3599, "token_type": "Bearer"}`, token)
}

// storage lets in who has a token.
func (g *google) storage(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		g.mu.Lock()
		whose, ok := g.granted[token]
		if whose == googleAccount && r.Method == http.MethodPost {
			g.writes++
		}
		g.mu.Unlock()
		if !ok {
			w.Header().Set("X-GUploader-UploadID", "test-request")
			http.Error(w, "Invalid Credentials", http.StatusUnauthorized)
			return
		}
		server.ServeHTTP(w, r)
	})
}

func newGoogle(t *testing.T, c *cluster.Cluster, annotations map[string]string) (*google, *trip) {
	t.Helper()
	gcs := emulator.GCS(t)
	g := &google{cluster: c, granted: map[string]string{}}
	metadata := &http.Server{Handler: http.HandlerFunc(g.metadata)}
	listener := c.Listen(t)
	serving := make(chan struct{})
	go func() { defer close(serving); metadata.Serve(listener) }()
	t.Cleanup(func() { metadata.Close(); <-serving })
	trip := newTrip(t, c, "google", newInternet(t, c, map[string]http.Handler{
		"storage.googleapis.com": g.storage(passOn(t, gcs.URL, func(*http.Request) {})),
		"oauth2.googleapis.com":  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.grant(w, "user") }),
	}), annotations)
	trip.visit.Variables = append(trip.visit.Variables, "GCE_METADATA_HOST="+listener.Addr().String())
	trip.root, _, _ = strings.Cut(gcs.Root(t), "?")
	user, err := json.Marshal(map[string]string{"type": "authorized_user", "client_id": "id", "client_secret": "secret", "refresh_token": "token"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "user.json") // as gcloud auth application-default login leaves it
	if err := os.WriteFile(file, user, 0o600); err != nil {
		t.Fatal(err)
	}
	trip.env = append(trip.env, "GOOGLE_APPLICATION_CREDENTIALS="+file)
	return g, trip
}

// A pod with a service account that is bound to a Google one reads and writes the
// bucket with nothing else.
func TestGoogleWorkloadIdentity(t *testing.T) {
	t.Parallel()
	g, trip := newGoogle(t, cluster.Real(t), map[string]string{"iam.gke.io/gcp-service-account": googleAccount})
	trip.succeeds()
	if g.signIns == 0 || g.signIns > 3 || g.writes == 0 {
		t.Errorf("the pod signed in %d times, and wrote %d times", g.signIns, g.writes)
	}
}

func TestGoogleWorkloadIdentityFails(t *testing.T) {
	t.Parallel()
	_, trip := newGoogle(t, cluster.Real(t), nil)
	trip.fails("iam.serviceAccounts.getAccessToken", "workload identity")
}
