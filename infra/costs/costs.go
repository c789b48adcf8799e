package main

import (
	"fmt"
	"io"
	"math"
)

// prices are list prices in US dollars, as AWS publishes them for a region. They
// were written down from memory in November 2026 without a look at the price list:
// check them before you rely on them.
type prices struct {
	region string

	natHour, natGB         float64
	endpointHour           float64 // interface endpoint, per zone
	addressHour            float64 // public IPv4
	kmsKeyMonth, kmsPer10k float64
	s3GBMonth              float64
	s3Put1k, s3Get10k      float64 // per 1,000 and per 10,000
	dynamoWriteM           float64 // per million write units
	dynamoReadM            float64 // per million read units
	dynamoGBMonth          float64
	lambdaGBs              float64 // x86
	logsGB, alarmMonth     float64
	metricMonth, dashboard float64
	trailDataPer100k       float64
	dnsFirewallMonth       float64 // per firewall domain list of ours, and queries
}

var singapore = prices{
	region: "ap-southeast-1", natHour: 0.059, natGB: 0.059, endpointHour: 0.013, addressHour: 0.005,
	kmsKeyMonth: 1, kmsPer10k: 0.03, s3GBMonth: 0.025, s3Put1k: 0.005, s3Get10k: 0.004,
	dynamoWriteM: 0.7125, dynamoReadM: 0.1425, dynamoGBMonth: 0.285, lambdaGBs: 0.0000166667,
	logsGB: 0.70, alarmMonth: 0.10, metricMonth: 0.30, dashboard: 3, trailDataPer100k: 0.10, dnsFirewallMonth: 0.01,
}

// load is what a company of so many employees makes in a month.
type load struct {
	employees, messages, pages float64
}

const (
	hours         = 730.0
	workdays      = 22.0
	perEmployee   = 40.0 // messages a workday: the reference corpus of the index' budget has about as many
	pageMessages  = 1000.0
	pullsMonth    = 30.4  // daily; each one makes at least one page if anything was said
	keptMonths    = 72.0  // a sixth year's end: what storage grows to
	pageBytes     = 700.0 // stored, of a message in a page (base64 ciphertext hardly packs)
	segmentBytes  = 250.0 // in a segment, and once more in a compaction
	extractBytes  = 40.0  // of it, for searches
	indexBytes    = 500.0
	writeUnits    = 4.0 // per message: the budget that a test pins
	readUnits     = 4.0 // per message
	archiverMs    = 4.0 // per message: one RSA operation, and the rest
	archiverGB    = 3008.0 / 1024
	requestsPage  = 12.0 // puts, lists and gets that a page costs puller, archiver and compactor
	alarms        = 41.0
	customMetrics = 23.0
	reads         = 30.0 // screens that each of 1 % of employees looks at on a workday
	screenGets    = 12.0 // requests: pinned by a test of the screen's budget
)

func of(employees float64) load {
	messages := employees * perEmployee * workdays
	return load{employees, messages, math.Max(pullsMonth, math.Ceil(messages/pageMessages))}
}

// item is a line of the bill.
type item struct {
	name, knob string
	cost       func(prices, load) float64
}

var bill = []item{
	{"NAT gateway", "an existing NAT with a fixed address", func(p prices, l load) float64 {
		return p.natHour*hours + p.natGB*l.messages*pageBytes*1.5/1e9
	}},
	{"public address", "none", func(p prices, _ load) float64 { return p.addressHour * hours }},
	{"endpoint for KMS, two zones", "one zone: half", func(p prices, _ load) float64 { return 2 * p.endpointHour * hours }},
	{"endpoints for S3 and DynamoDB", "free", func(prices, load) float64 { return 0 }},
	{"KMS, five keys", "none", func(p prices, l load) float64 { return 5*p.kmsKeyMonth + l.pages*6/1e4*p.kmsPer10k }},
	{"S3 requests", "fewer, fuller pages", func(p prices, l load) float64 {
		return l.pages*requestsPage/1e3*p.s3Put1k + l.employees/100*reads*workdays*screenGets/1e4*p.s3Get10k
	}},
	{"S3 storage after six years", "a shorter retention", func(p prices, l load) float64 {
		return l.messages * keptMonths * (pageBytes + 2*segmentBytes + extractBytes) / 1e9 * p.s3GBMonth
	}},
	{"DynamoDB writes and reads", "none", func(p prices, l load) float64 {
		return l.messages * (writeUnits*p.dynamoWriteM + readUnits*p.dynamoReadM) / 1e6
	}},
	{"DynamoDB storage after six years", "compaction, which empties the tail", func(p prices, l load) float64 {
		return l.messages * keptMonths * indexBytes / 1e9 * p.dynamoGBMonth
	}},
	{"Lambda", "arm64 for the library's functions: a fifth less", func(p prices, l load) float64 {
		return (l.messages*archiverMs/1e3*archiverGB + 24*pullsMonth*1 + l.pages*5) * p.lambdaGBs
	}},
	{"CloudWatch: logs, metrics, alarms, dashboard", "LogDays; drop the dashboard", func(p prices, l load) float64 {
		return alarms*p.alarmMonth + customMetrics*p.metricMonth + p.dashboard + (0.2+l.messages*200/1e9)*p.logsGB
	}},
	{"CloudTrail data events", "OrganisationTrail, if there is one", func(p prices, l load) float64 {
		return l.pages * requestsPage / 1e5 * p.trailDataPer100k
	}},
}

var sizes = []float64{10, 200, 5000}

// write prints the table in Markdown.
func write(w io.Writer, p prices) error {
	text := fmt.Sprintf("| US$ a month, %s |", p.region)
	rule := "|---|"
	for _, n := range sizes {
		text += fmt.Sprintf(" %.0f employees |", n)
		rule += "---:|"
	}
	text += " what lowers it |\n" + rule + "---|\n"
	total := make([]float64, len(sizes))
	for _, i := range bill {
		text += "| " + i.name + " |"
		for n, size := range sizes {
			cost := i.cost(p, of(size))
			total[n] += cost
			text += fmt.Sprintf(" %.2f |", cost)
		}
		text += " " + i.knob + " |\n"
	}
	text += "| **together** |"
	for _, t := range total {
		text += fmt.Sprintf(" **%.0f** |", t)
	}
	_, err := io.WriteString(w, text+" |\n")
	return err
}
