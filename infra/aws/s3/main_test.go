package locals3_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	locals3 "wecom-archive/infra/aws/s3"
)

// Set for the child processes that tests kill or listen to.
const (
	childRoot  = "LOCALS3_TEST_ROOT"
	childRound = "LOCALS3_TEST_ROUND"
)

// TestMain is also the main of the child processes.
func TestMain(m *testing.M) {
	root := os.Getenv(childRoot)
	if root == "" {
		os.Exit(m.Run())
	}
	if err := child(root, os.Getenv(childRound)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const childWriters = 4

// child starts the server on root, reports each object that is stored on stdout,
// and ends when it is interrupted.
func child(root, round string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	server, err := locals3.Start(ctx, locals3.Config{Root: root})
	if err != nil {
		return err
	}
	if err := server.CreateBucket(ctx, "objects", 30); err != nil {
		return err
	}
	fmt.Println("ready")
	var wg sync.WaitGroup
	var lines sync.Mutex
	for w := range childWriters {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("dt=%s-%d/%06d", round, i/20, i*childWriters+w)
				if err := putOnce(ctx, server, "objects", key, childBody(key)); err != nil {
					return
				}
				lines.Lock()
				fmt.Println(key)
				lines.Unlock()
			}
		})
	}
	wg.Wait()
	return server.Close()
}

func putOnce(ctx context.Context, server *locals3.Server, bucket, key string, body []byte) error {
	_, err := server.Client().PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader(body), IfNoneMatch: aws.String("*"),
	})
	return err
}

// childBody is a body that shows if something of it is missing.
func childBody(key string) []byte {
	n, _ := strconv.Atoi(filepath.Base(key))
	return append(bytes.Repeat([]byte(key+"\n"), n*37%3000), "end"...)
}

// files lists the plain files below dir, by slash-separated paths within it.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, relErr := filepath.Rel(dir, path)
			found, err = append(found, filepath.ToSlash(rel)), relErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func hasPart(path, part string) bool {
	return strings.Contains("/"+path+"/", "/"+part+"/")
}
