package controlplane

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// gitServer serves one bare repository by git's own HTTP backend. Whoever
// reaches the loopback port can push.
type gitServer struct {
	listener net.Listener
	server   *http.Server
	ended    chan struct{}
}

const repositoryName = "repo.git"

func startGit(ctx context.Context, dir string, log io.Writer) (*gitServer, error) {
	execPath, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("finding git: %w", err)
	}
	repository := filepath.Join(dir, repositoryName)
	for _, args := range [][]string{
		{"init", "-q", "--bare", "--initial-branch=main", repository},
		{"-C", repository, "config", "http.receivepack", "true"},
	} {
		if out, err := exec.CommandContext(ctx, "git", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	listener, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return nil, err
	}
	backend := &cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + dir, "PATH=" + os.Getenv("PATH")},
		Stderr: log,
	}
	g := &gitServer{listener: listener, server: &http.Server{Handler: backend}, ended: make(chan struct{})}
	go func() {
		defer close(g.ended)
		_ = g.server.Serve(listener) // http.ErrServerClosed, by close
	}()
	return g, nil
}

func (g *gitServer) url() string {
	return "http://" + g.listener.Addr().String() + "/" + repositoryName
}

func (g *gitServer) close() error {
	err := g.server.Close()
	<-g.ended
	return err
}
