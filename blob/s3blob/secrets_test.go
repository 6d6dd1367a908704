package s3blob

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// planted is a secret that nobody may see.
const planted = "planted+secret/0123456789"

// Each place that credentials come from holds a secret, and fails or is refused.
func TestSecrets(t *testing.T) {
	uri, proxy := emulator.S3(t).Behind(t)
	proxy.Strike(-1, emulator.S3Error(403, "AccessDenied", "Access Denied"), faultproxy.Any)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refuse":
			w.WriteHeader(http.StatusForbidden)
		case "/sts", "/sts/":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized</Message></Error></ErrorResponse>")
		case "/credentials":
			fmt.Fprintf(w, `{"AccessKeyId":"key","SecretAccessKey":%q,"Token":%q}`, planted, planted)
		default:
			fmt.Fprint(w, "garbage "+planted)
		}
	}))
	defer service.Close()
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none := map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
	keys := func(format string) string { return fmt.Sprintf(format, planted) }
	for name, c := range map[string]struct {
		environment map[string]string
		text        string
	}{
		"Environment": {map[string]string{"AWS_SECRET_ACCESS_KEY": planted, "AWS_SESSION_TOKEN": planted}, "AccessDenied"},
		"None":        {none, "AWS_ACCESS_KEY_ID"},
		"File": {map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file("credentials",
			keys("[default]\naws_access_key_id = key\naws_secret_access_key = %s\n"))}, "AccessDenied"},
		"TornFile": {map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file("credentials",
			keys("[default\naws_access_key_id\n = \x00aws_secret_access_key = %s\n"))}, ""},
		"HalfAFile": {map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file("credentials",
			keys("[default]\naws_secret_access_key = %s\n"))}, ""},
		"Process": {map[string]string{"AWS_CONFIG_FILE": file("config",
			"[default]\ncredential_process = "+file("process", keys("#!/bin/sh\necho '{\"SecretAccessKey\": \"%s\"'\n"))+"\n")}, "of no use"},
		"FailingProcess": {map[string]string{"AWS_CONFIG_FILE": file("config",
			"[default]\ncredential_process = "+file("process", keys("#!/bin/sh\necho %s\nexit 1\n"))+"\n")}, "of no use"},
		"Container":          {map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.URL + "/credentials"}, "AccessDenied"},
		"RefusingContainer":  {map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.URL + "/refuse?x=" + planted}, "refuses"},
		"GarbledContainer":   {map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.URL + "/?x=" + planted}, ""},
		"AbsentContainer":    {map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/?x=" + planted}, "cannot be reached"},
		"NonsenseContainer":  {map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:x/?x=" + planted}, ""},
		"RefusedWebIdentity": {map[string]string{"AWS_ENDPOINT_URL_STS": service.URL + "/sts"}, "AssumeRoleWithWebIdentity, which gives AWS credentials, refuses: AccessDenied: Not authorized"},
		"Profile":            {map[string]string{"AWS_PROFILE": "nobody"}, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			environment := map[string]string{"AWS_CONTAINER_AUTHORIZATION_TOKEN": planted, "AWS_MAX_ATTEMPTS": "1"}
			if name != "Environment" {
				environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"] = "", ""
			}
			if strings.HasSuffix(name, "WebIdentity") {
				environment["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/x"
				environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = file("token", planted)
			}
			for name, value := range environment {
				t.Setenv(name, value)
			}
			for name, value := range c.environment {
				t.Setenv(name, value)
			}
			check := func(what string, err error) {
				switch {
				case err == nil:
					t.Errorf("%s succeeded", what)
				case strings.Contains(err.Error(), "0123456789"):
					t.Errorf("%s shows the secret: %v", what, err)
				case !strings.Contains(err.Error(), c.text):
					t.Errorf("%s does not say %q: %v", what, c.text, err)
				case blob.KindOf(err) != blob.Denied && blob.KindOf(err) != blob.Invalid && blob.KindOf(err) != blob.Unavailable:
					t.Errorf("%s is of kind %q: %v", what, blob.KindOf(err), err)
				}
				t.Logf("%s: %v", what, err)
			}
			s, err := blob.Open(t.Context(), uri)
			if err != nil {
				check("open", err)
				return
			}
			check("get", operations["get"](t.Context(), s))
			if d := s.Driver().(*store); strings.Contains(s.Root()+s.Address()+d.Identity(), "0123456789") {
				t.Errorf("root %s, address %s, identity %s", s.Root(), s.Address(), d.Identity())
			}
		})
	}
}
