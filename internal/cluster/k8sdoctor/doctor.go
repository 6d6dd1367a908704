// Package k8sdoctor examines whether calls can run as Jobs on a cluster: whether it
// answers, what may be done in the namespace, whether nodes can pull an image, and
// what pods can reach. What it creates it deletes. The tool's command doctor --k8s
// shows it to people; package k8s is what it asks for, internal/upkeep/doctor does the same
// for stores.
package k8sdoctor

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/doctor"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// Options are what is examined, and how.
type Options struct {
	kube.Connection
	Client kubernetes.Interface
	By     executor.Settings // of the config file and of variables
	Jobs   []k8s.Option      // of all Jobs that it makes, and of those that the user wants to make
	Line   func(doctor.Line) // is given each line when it is known; may be nil
	Doing  func(string)      // is told what takes a while; may be nil

	Image string // whose pull is tried; "" leaves that out

	// Self makes the image of the tool, which then examines Root in a pod; nil
	// leaves that out.
	Self func(context.Context) (reference string, platforms []string, err error)
	Root string
}

// exam is one examination.
type exam struct {
	Options
	report *doctor.Report
	user   authenticationv1.UserInfo // who asks; empty where the cluster does not say
	denied map[kube.Permission]bool
	absent bool // the namespace
}

// Examine examines a cluster.
func Examine(ctx context.Context, o Options) *doctor.Report {
	e := &exam{Options: o, denied: map[kube.Permission]bool{}, report: doctor.NewReport()}
	if e.reach(ctx) {
		e.who(ctx)
		e.permissions(ctx)
		e.namespace(ctx)
		e.queue(ctx)
		e.identity(ctx)
		e.pods(ctx)
	}
	return e.report
}

func (e *exam) say(line doctor.Line) {
	e.report.Lines = append(e.report.Lines, line)
	if e.Line != nil {
		e.Line(line)
	}
}

func (e *exam) doing(what string) {
	if e.Doing != nil {
		e.Doing(what)
	}
}

// check examines one thing: what it finds is good, unless it fails.
func (e *exam) check(name, rule, toDo string, do func() (found string, err error)) bool {
	e.doing(name)
	began := time.Now()
	line := doctor.Line{Name: name, Rule: rule, Verdict: doctor.Pass}
	found, err := do()
	if line.Found = found; err != nil {
		line.Verdict, line.Found, line.ToDo = doctor.Fail, err.Error(), toDo
	}
	line.Seconds = time.Since(began).Seconds()
	e.say(line)
	return err == nil
}

// oldest is the first Kubernetes in which all that Jobs of mops ask for is heeded
// without feature gates: pod failure policies (1.26) and pods that are not replaced
// before they are gone (1.29).
// https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates
var oldest = version.MustParseGeneric("1.29")

// reach asks for what everybody may see.
func (e *exam) reach(ctx context.Context) bool {
	old := ""
	ok := e.check("reach", "The cluster answers.",
		"see that it is running, and that this is the right context (kubectl config get-contexts), network and VPN; and log in again where it says Unauthorized", func() (string, error) {
			info, err := e.Client.Discovery().ServerVersion()
			if err != nil {
				return "", err
			}
			found := fmt.Sprintf("Kubernetes %s, %s, answers at %s", info.GitVersion, e.Cluster, e.Config.Host)
			is, err := version.ParseGeneric(info.GitVersion)
			if err != nil {
				return "", fmt.Errorf("what answers at %s is no Kubernetes: its version is %.40q", e.Config.Host, info.GitVersion)
			}
			if is.LessThan(oldest) {
				old = info.GitVersion
			}
			return found, nil
		})
	if old != "" {
		e.say(doctor.Line{Name: "version", Verdict: doctor.Warn, Rule: "Kubernetes is 1.29 or newer.", Found: "it is " + old,
			ToDo: "update the cluster: this one may start a second pod of a call while the first one still ends"})
	}
	return ok && ctx.Err() == nil
}

// who asks the cluster who this is. Clusters before 1.28 do not say.
func (e *exam) who(ctx context.Context) {
	review, err := e.Client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return
	}
	e.user = review.Status.UserInfo
	e.say(doctor.Line{Name: "who", Verdict: doctor.Pass, Rule: "The cluster knows who you are.", Found: "you are " + e.user.Username})
}
