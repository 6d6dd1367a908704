package k8stest_test

import (
	"cmp"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

const (
	awsRegion = "us-east-1"
	awsRole   = "arn:aws:iam::111122223333:role/worker"
)

// awsWebhook does what the webhook of EKS does with a pod whose service account has
// the annotation:
// https://github.com/aws/amazon-eks-pod-identity-webhook#eks-walkthrough
func awsWebhook(job *batchv1.Job) error {
	pod := &job.Spec.Template.Spec
	annotations, err := annotationsOf(job.Namespace, pod)
	if err != nil || annotations["eks.amazonaws.com/role-arn"] == "" {
		return err
	}
	const folder, file = "/var/run/secrets/eks.amazonaws.com/serviceaccount", "token"
	project(pod, "aws-iam-token", folder, file, cmp.Or(annotations["eks.amazonaws.com/audience"], "sts.amazonaws.com"), 86400,
		corev1.EnvVar{Name: "AWS_ROLE_ARN", Value: annotations["eks.amazonaws.com/role-arn"]},
		corev1.EnvVar{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: folder + "/" + file},
		corev1.EnvVar{Name: "AWS_REGION", Value: awsRegion}, corev1.EnvVar{Name: "AWS_DEFAULT_REGION", Value: awsRegion},
		corev1.EnvVar{Name: "AWS_STS_REGIONAL_ENDPOINTS", Value: "regional"},
	)
	return nil
}

// aws is STS and a bucket. Signatures are not verified, only whose they are.
type aws struct {
	federation *federation
	subject    string // whom the role trusts

	mu      sync.Mutex
	granted map[string]string // session tokens, by their key
	signIns int
	writes  int // with one of these
}

// sts exchanges a token of the cluster for credentials
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
func (a *aws) sts(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	subject, err := a.federation.subject(r.FormValue("WebIdentityToken"))
	status, code, message := 0, "", ""
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		status, code, message = http.StatusBadRequest, "ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time"
	case err != nil:
		status, code, message = http.StatusBadRequest, "InvalidIdentityToken", err.Error()
	case subject != a.subject, r.FormValue("RoleArn") != awsRole, r.FormValue("Action") != "AssumeRoleWithWebIdentity":
		status, code, message = http.StatusForbidden, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"
	}
	if status != 0 {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>", code)
		xml.EscapeText(w, []byte(message))
		fmt.Fprint(w, "</Message></Error></ErrorResponse>")
		return
	}
	key, token := "ASIA"+rand.Text(), rand.Text()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.signIns++
	a.granted[key] = token
	fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, key, rand.Text(), token, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// bucket lets in who has such credentials, or the user's.
func (a *aws) bucket(s3 http.Handler, users string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ := strings.Cut(credential, "/")
		a.mu.Lock()
		token, granted := a.granted[key]
		if granted && r.Method == http.MethodPut {
			a.writes++
		}
		a.mu.Unlock()
		if key != users && (!granted || r.Header.Get("X-Amz-Security-Token") != token) {
			emulator.S3Error(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")(w, r, nil)
			return
		}
		s3.ServeHTTP(w, r)
	})
}

func newAWS(t *testing.T, c *cluster.Cluster) (*aws, *trip) {
	t.Helper()
	s3 := emulator.S3(t)
	root, _, _ := strings.Cut(s3.Root(t), "?") // s3://bucket/path
	bucket, _, _ := strings.Cut(strings.TrimPrefix(root, "s3://"), "/")
	a := &aws{federation: newFederation(t, c, "sts.amazonaws.com"), granted: map[string]string{}}
	handler := passOn(t, s3.URL+"/"+bucket, func(*http.Request) {})
	trip := newTrip(t, c, "aws", newInternet(t, c, map[string]http.Handler{
		"sts." + awsRegion + ".amazonaws.com":          http.HandlerFunc(a.sts),
		bucket + ".s3." + awsRegion + ".amazonaws.com": a.bucket(handler, os.Getenv("AWS_ACCESS_KEY_ID")),
	}), map[string]string{"eks.amazonaws.com/role-arn": awsRole})
	a.subject = "system:serviceaccount:" + trip.visit.Namespace + ":" + trip.visit.Account
	trip.root = root
	return a, trip
}

// A pod with a service account that is tied to a role (IRSA) reads and writes the
// bucket with nothing else.
func TestAWSRoleOfAServiceAccount(t *testing.T) {
	t.Parallel()
	a, trip := newAWS(t, cluster.Real(t))
	trip.succeeds()
	if a.signIns == 0 || a.signIns > 3 || a.writes == 0 {
		t.Errorf("the pod signed in %d times, and wrote %d times", a.signIns, a.writes)
	}
}

func TestAWSRoleFails(t *testing.T) {
	t.Parallel()
	c := cluster.Real(t)
	for name, test := range map[string]struct {
		change func(*aws, *trip)
		says   string
	}{
		"not trusted":       {func(a *aws, _ *trip) { a.subject = "system:serviceaccount:other:worker" }, "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"token has expired": {func(a *aws, _ *trip) { a.federation.late = 48 * time.Hour }, "ExpiredToken"},
		"no webhook":        {func(_ *aws, v *trip) { v.visit.Cloud = "none" }, "no AWS credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, trip := newAWS(t, c)
			trip.visit.Variables = append(trip.visit.Variables, "AWS_REGION="+awsRegion)
			test.change(a, trip)
			trip.fails(test.says)
		})
	}
}
