package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	locals3 "wecom-archive/infra/aws/s3"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
)

const (
	largeSize = 1<<31 + 12_345 // bytes: more than 32 bits with a sign hold
	largePut  = 1 << 30        // S3's own limit, 5 GiB, would need more disk
	largePart = 256 << 20
)

// large fetches a file of more than 2 GiB, which goes to S3 in parts.
func large(ctx context.Context, o options) (err error) {
	folder, err := os.MkdirTemp(o.dir, "large")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	server, err := locals3.Start(ctx, locals3.Config{Root: folder, NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := server.CreateBucket(ctx, "large", 1); err != nil {
		return err
	}
	objects := awsstore.NewObjects(server.Client(), server.Presigner(), "large").WithParts(largePut, largePart)
	m := medium{number: 1, size: largeSize, fate: plain}
	sum, want := m.sums()
	now := time.Now().UTC().Truncate(time.Millisecond)
	job := archive.MediaJob{
		MediaPlace: archive.MediaPlace{Path: "file", Kind: "file", FileIDSHA256: wecom.Media{FileID: m.fileID()}.FileIDHash()},
		FileID:     m.fileID(), MD5: sum, Size: m.size, Expires: now.Add(archive.Window),
	}
	list := archive.FetchList{Corp: "large", PulledAt: now, Jobs: []archive.MediaJob{job}}
	derived := storetest.NewDerived()
	if err := archive.PutFetchList(ctx, derived, list); err != nil {
		return err
	}
	stage := mediafetch.New(mediafetch.Config{
		Corp: list.Corp, Program: "mediaload", Objects: objects, Lock: objects, Derived: derived, Media: catalog.New(storetest.NewIndex()).Media,
		Library: &source{dir: folder}, Now: time.Now, Sleep: func(context.Context, time.Duration) error { return nil }, Log: slog.New(slog.DiscardHandler),
		Spool: filepath.Join(folder, ".spool"),
	})
	if err := stage.Ready(ctx); err != nil {
		return err
	}
	if err := stage.Handle(ctx, list.Key()); err != nil {
		return err
	}
	page, err := archive.ReadPageLinks(ctx, objects, now, 0)
	if err != nil {
		return err
	}
	link, _ := page.Of(job.MediaPlace)
	files, bad, bytes, err := checkFiles(ctx, objects, map[string]bool{want: true})
	if err != nil {
		return err
	}
	if link.SHA256 != want || link.Size != m.size || link.MD5Verdict != archive.VerdictMatch || link.SizeVerdict != archive.VerdictMatch || files != 1 || bad != 0 || bytes != m.size {
		return fmt.Errorf("linked as %+v; %d files of %d bytes, %d wrong", link, files, bytes, bad)
	}
	peak, err := peakMB()
	if err != nil {
		return err
	}
	fmt.Printf("a file of %d bytes is stored as it is, in parts; peak memory %d MB\n", bytes, peak)
	if o.memory > 0 && peak >= o.memory {
		return fmt.Errorf("peak memory is %d MB, want less than %d", peak, o.memory)
	}
	return nil
}
