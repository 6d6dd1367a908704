package cluster

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// User makes a user with nothing but the rights that role bindings give to the
// name or the groups, and returns the path of a kubeconfig for it. The name is one
// segment of a file name.
func (c *Cluster) User(name string, groups ...string) (kubeconfig string, err error) {
	return c.user("user-"+name, name, groups...)
}

// user makes the files NAME for a user.
func (c *Cluster) user(name, user string, groups ...string) (kubeconfig string, err error) {
	if err := c.pki.client(name, user, groups...); err != nil {
		return "", fmt.Errorf("make a certificate for %s: %w", user, err)
	}
	const context = "mops-test"
	config := api.NewConfig()
	config.Clusters[context] = &api.Cluster{
		Server:               "https://" + hostPort(c.endpoint.api, c.endpoint.apiPort),
		CertificateAuthority: c.pki.crt("ca"),
	}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificate: c.pki.crt(name), ClientKey: c.pki.pem(name)}
	config.Contexts[context] = &api.Context{Cluster: context, AuthInfo: user}
	config.CurrentContext = context
	kubeconfig = c.kubeconfig(name)
	return kubeconfig, clientcmd.WriteToFile(*config, kubeconfig)
}

func (c *Cluster) kubeconfig(name string) string { return c.slot.dir + "/" + name + ".kubeconfig" }
