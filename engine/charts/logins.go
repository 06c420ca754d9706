package charts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/google/go-containerregistry/pkg/authn"
	"sigs.k8s.io/yaml"
)

// Registries returns the logins that the user has: those of `helm registry login` in the given file, if there is one, and
// those of docker and podman.
func Registries(file string) authn.Keychain {
	return authn.NewMultiKeychain(helmLogins(file), authn.DefaultKeychain)
}

// helmLogins is the file in which Helm keeps the logins of registries, in the form of docker.
type helmLogins string

// Resolve implements [authn.Keychain].
func (h helmLogins) Resolve(to authn.Resource) (authn.Authenticator, error) {
	file, err := os.Open(string(h))
	if errors.Is(err, fs.ErrNotExist) {
		return authn.Anonymous, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	logins, err := config.LoadFromReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h, err)
	}
	login, err := logins.GetAuthConfig(to.RegistryStr())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h, err)
	}
	found := authn.AuthConfig{Username: login.Username, Password: login.Password, Auth: login.Auth, IdentityToken: login.IdentityToken, RegistryToken: login.RegistryToken}
	if found == (authn.AuthConfig{}) {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(found), nil
}

// Repositories reads the logins of `helm repo add` from a file; none if there is no such file.
func Repositories(file string) (map[string]Login, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var content struct {
		Repositories []struct {
			URL, Username, Password string
		}
	}
	if err == nil {
		err = yaml.Unmarshal(data, &content)
	}
	if err != nil {
		return nil, fmt.Errorf("the repositories of Helm: %s: %w", file, err)
	}
	logins := map[string]Login{}
	for _, r := range content.Repositories {
		logins[strings.TrimSuffix(r.URL, "/")] = Login{r.Username, r.Password}
	}
	return logins, nil
}
