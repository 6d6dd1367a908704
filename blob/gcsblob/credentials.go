package gcsblob

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/compute/metadata"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// scope is that of the tokens: less than the SDK's full control.
const scope = "https://www.googleapis.com/auth/devstorage.read_write"

// tokens are those of the Application Default Credentials, kept while they are
// good and renewed before they expire.
type tokens struct {
	transport *cloud.Transport
	url       string // of the server for users' tokens, if not Google's

	mu      sync.Mutex
	found   *auth.Credentials // nil: not looked for yet, or in vain
	project string            // pays, if not the bucket's
}

func newTokens() *tokens {
	return &tokens{transport: &cloud.Transport{Stall: 10 * time.Second}}
}

// authorize adds a token to a request.
func (t *tokens) authorize(r *http.Request) error {
	found, project, err := t.credentials()
	if err != nil {
		return noToken(err)
	}
	token, err := found.Token(r.Context())
	if err != nil {
		return t.failure(err)
	}
	r.Header.Set("Authorization", cmp.Or(token.Type, "Bearer")+" "+token.Value)
	if project != "" {
		r.Header.Set("X-Goog-User-Project", project)
	}
	return nil
}

// credentials looks for them. It may ask whether there is a metadata server:
// for two seconds at most, or five if the machine looks like Google's.
func (t *tokens) credentials() (*auth.Credentials, string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.found != nil {
		return t.found, t.project, nil
	}
	found, err := credentials.DetectDefault(&credentials.DetectOptions{
		Scopes:           []string{scope},
		UseSelfSignedJWT: true, // holders of a key need no token server (https://google.aip.dev/auth/4111)
		TokenURL:         t.url,
		Client:           t.transport.Client(),
	})
	if err != nil {
		return nil, "", err
	}
	var file struct {
		Project string `json:"quota_project_id"`
	}
	json.Unmarshal(found.JSON(), &file) // if they come from a file
	t.found, t.project = found, cmp.Or(os.Getenv("GOOGLE_CLOUD_QUOTA_PROJECT"), file.Project)
	return t.found, t.project, nil
}

// failure tells a token server that cannot be reached for now, as that of a GKE
// pod in its first seconds, from one that refuses.
func (t *tokens) failure(err error) error {
	status := 0
	if e, ok := errors.AsType[*auth.Error](err); ok && e.Response != nil {
		status = e.Response.StatusCode
		err = oauthError(status, e.Body)
	}
	if e, ok := errors.AsType[*metadata.Error](err); ok {
		status = e.Code
	}
	if status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout {
		return &driver.Error{Kind: driver.Unavailable, Err: fmt.Errorf("no token for now: %w", err)}
	}
	if _, network := errors.AsType[*url.Error](err); !network && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return noToken(err)
	}
	err = t.transport.Failure(err)
	if e, ok := err.(*driver.Error); ok {
		e.Err = fmt.Errorf("no token: %w", e.Err)
	}
	return err
}

// oauthError is the reason that a token server gives (RFC 6749, section 5.2),
// and nothing else of its answer, which may repeat secrets from the request.
func oauthError(status int, body []byte) error {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error == "" {
		return fmt.Errorf("the token server answered HTTP %d", status)
	}
	return fmt.Errorf("the token server answered HTTP %d, %s: %s", status, answer.Error, oneLine(answer.Description))
}

func noToken(err error) error {
	return &driver.Error{Kind: driver.Denied, Err: fmt.Errorf("there are no credentials that work: %s; "+
		"run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file, "+
		"or give this machine or pod a service account (workload identity)", oneLine(err.Error()))}
}
