package locals3_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	locals3 "wecom-archive/infra/aws/s3"
)

// BenchmarkPut measures puts by eight clients at once.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1 << 10, 500 << 10} {
		for _, sync := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dKiB/sync=%v", size>>10, sync), func(b *testing.B) {
				server := startServer(b, b.TempDir(), sync)
				createBucket(b, server, "objects", 30)
				body := make([]byte, size)
				var n atomic.Int64
				b.SetParallelism(4)
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						i := n.Add(1)
						if err := putOnce(b.Context(), server, "objects", fmt.Sprintf("p/%d/%d", i/1000, i), body); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
				b.ReportMetric(residentMiB(b), "MiB-resident")
			})
		}
	}
}

// BenchmarkStart measures from nothing to answering.
func BenchmarkStart(b *testing.B) {
	root := b.TempDir()
	for b.Loop() {
		server, err := locals3.Start(b.Context(), locals3.Config{Root: root})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := server.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func residentMiB(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return 0
}
