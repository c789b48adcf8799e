//go:build sdk

package financesdk_test

import (
	"context"
	"sync"
	"testing"

	"wecom-archive/infra/sdkstandin"
	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/financesdk/native"
)

var buildStandin = sync.OnceValues(func() (string, error) {
	return sdkstandin.Build(context.Background(), scratch)
})

// standin is the path of the stand-in for the library, which is built once.
func standin(t testing.TB) string {
	t.Helper()
	path, err := buildStandin()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStandinFile(t *testing.T) {
	info, err := native.Inspect(standin(t), append(financesdk.Symbols(), decrypt.Symbols()...)...)
	if err != nil || len(info.Missing) != 0 || info.Version != "standin" || len(info.Extra()) != 0 {
		t.Errorf("%+v, %v", info, err)
	}
}
