package cluster

import (
	"context"
	"embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed config
var configs embed.FS

// The last numbers of the addresses in a cluster's network.
const (
	apiAddress  = 1
	hostAddress = 2
	firstPod    = 16
)

// settings are what the configurations of the node's programs are filled with.
type settings struct {
	Dir, PKI, Name string
	CNI            string // folder of its programs
	Pause          string // image of the container that holds a pod's namespaces
	API            string // address
	Subnet         string
	FirstPod       string // address
}

func (c *Cluster) startReal(ctx context.Context) error {
	c.Host = c.slot.address(hostAddress)
	// Address and port of the API server's service are its own: there is no proxy.
	c.endpoint = endpoint{api: c.slot.address(apiAddress), bind: "0.0.0.0", apiPort: 443, etcdPort: 2379, peer: 2380}
	if err := c.openNamespace(ctx); err != nil {
		return err
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	if err := c.startRegistry(); err != nil {
		return err
	}
	pause, err := c.PushProgram(ctx, "pause", binary("pause"))
	if err != nil {
		return err
	}
	if err := c.startNode(ctx, pause); err != nil {
		return err
	}
	return c.waitForNode(ctx, nodeName)
}

// startNode starts containerd and the kubelet.
func (c *Cluster) startNode(ctx context.Context, pause string) error {
	containers, err := containerPrograms()
	if err != nil {
		return err
	}
	s := settings{
		Dir: c.slot.dir, PKI: c.pki.dir, Name: c.slot.name(), CNI: containers.cni, Pause: pause,
		API: c.endpoint.api, Subnet: c.slot.address(0) + "/" + subnetBits, FirstPod: c.slot.address(firstPod),
	}
	containerd, err := c.configure("containerd.toml", "containerd.toml", s)
	if err != nil {
		return err
	}
	if _, err := c.configure("bridge.conflist", "cni/bridge.conflist", s); err != nil {
		return err
	}
	config, err := c.configure("kubelet.yaml", "kubelet.yaml", s)
	if err != nil {
		return err
	}
	// With an empty one, pods get the machine's.
	if _, err := c.writeFile("resolv.conf", "nameserver "+loopback+"\n"); err != nil {
		return err
	}
	if err := c.pki.server("kubelet-server", nodeName, loopback, c.endpoint.api); err != nil {
		return err
	}
	kubeconfig, err := c.user("kubelet", "system:node:"+nodeName, "system:nodes")
	if err != nil {
		return err
	}
	groups, err := c.slot.cgroups()
	if err != nil {
		return err
	}
	for _, group := range groups {
		if err := os.Mkdir(group, 0o755); err != nil {
			return fmt.Errorf("make a control group for pods: %w", err)
		}
	}
	command := c.command(binary("containerd"), "--config="+containerd)
	command.Env = append(os.Environ(), "PATH="+containers.path())
	if err := c.runCommand("containerd", command); err != nil {
		return err
	}
	err = c.until(ctx, "containerd", func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", c.slot.dir+"/containerd.sock")
		if err == nil {
			conn.Close()
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.run("kubelet",
		"--config="+config, "--kubeconfig="+kubeconfig, "--root-dir="+c.slot.dir+"/kubelet",
		"--hostname-override="+nodeName, "--node-ip="+c.endpoint.api)
}

// configure writes a configuration into the cluster's folder.
func (c *Cluster) configure(name, as string, s settings) (path string, err error) {
	parsed, err := template.ParseFS(configs, "config/"+name)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	if err := parsed.Execute(&text, s); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(c.slot.dir, as)), 0o700); err != nil {
		return "", err
	}
	return c.writeFile(as, text.String())
}
