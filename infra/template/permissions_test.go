//go:build template

package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// question asks whether somebody may do something.
type question struct {
	who, action, resource string
	context               map[string]string
	may                   bool
	// alone asks one of the policies, as if the others allowed everything: where two
	// of them refuse, each must.
	alone string // "identity", "resource" or "endpoint"; empty: all of them
}

func (q question) String() string {
	return fmt.Sprintf("%s: %s on %s %v %s", q.who, q.action, q.resource, q.context, q.alone)
}

// roles of the stack, and two that are not: an administrator of the account, with
// every identity right there is, and somebody of another account.
const (
	puller, archiver, media, compactor, admin = "puller", "archiver", "media", "compactor", "admin"
	directory, callback                       = "directory", "callback"
	reindexer                                 = "reindexer" // reads what the index is made of, and may empty it
	operator, auditor                         = "operator", "auditor"
	athena                                    = "athena" // an auditor who asks in bulk
	signin                                    = "signin" // has the way to the issuer, and no right to content
	administrator                             = "administrator"
)

var stackRoles = []string{puller, archiver, media, directory, callback, compactor, reindexer, admin, signin, operator, auditor, athena}

// Who reads and who writes what is in the archive bucket (docs/invariants.md, 4 and 7).
// What is not here is refused.
var readers = map[string][]string{
	"pages":     {reindexer, puller, archiver, auditor, administrator},
	"rejects":   {puller, archiver, auditor, administrator},
	"messages":  {reindexer, archiver, compactor, admin, auditor, athena},
	"media":     {media, admin, auditor},
	"links":     {reindexer, archiver, media, admin, auditor, athena, administrator},
	"keys":      {reindexer, archiver, operator, auditor, administrator},
	"directory": {reindexer, archiver, directory, admin, auditor},
	"events":    {reindexer, puller, archiver, admin, operator, auditor, administrator},
	"access":    {admin, auditor},
}

var writers = map[string][]string{
	"pages":     {puller},
	"rejects":   {puller},
	"messages":  {archiver},
	"media":     {media},
	"links":     {media},
	"keys":      {operator},
	"directory": {directory},
	"events":    {reindexer, puller, archiver, directory, callback, operator},
	"access":    {admin},
}

// underCaptureKey are the prefixes that the capture key encrypts.
var underCaptureKey = []string{"pages", "rejects", "media", "links", "events", "keys", "directory"}

// things are the names of what questions are about.
type things struct {
	archive, derived, table, pages, secret                 string
	captureKey, contentKey, keyringKey, opsKey, sessionKey string
}

func thingsOf(m *Model) things {
	arn := func(service, rest string) string {
		return fmt.Sprintf("arn:%s:%s:%s:%s:%s", m.Place.Partition, service, m.Place.Region, m.Place.Account, rest)
	}
	out := func(name string) string { return fmt.Sprint(m.Outputs[name]) }
	return things{
		archive: "arn:" + m.Place.Partition + ":s3:::" + out("AuditorBucket"), derived: "arn:" + m.Place.Partition + ":s3:::" + out("DerivedBucket"),
		table: arn("dynamodb", "table/"+out("Table")), pages: arn("sqs", m.Place.Stack+"-pages"),
		secret:     arn("ssm", "parameter"+out("SecretPrefix")+"archive-secret"),
		captureKey: out("CaptureKey"), contentKey: out("ContentKey"), keyringKey: out("KeyringKey"), opsKey: out("OpsKey"), sessionKey: out("SessionKey"),
	}
}

func (m *Model) via(service string) map[string]string {
	return map[string]string{"kms:ViaService": service + "." + m.Place.Region + "." + m.Place.URLSuffix}
}

// put is the context of a put as the adapters make it.
func (x things) put(prefix string) map[string]string {
	c := map[string]string{"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
	if slices.Contains(underCaptureKey, prefix) {
		c["s3:x-amz-server-side-encryption"], c["s3:x-amz-server-side-encryption-aws-kms-key-id"] = "aws:kms", x.captureKey
	}
	return c
}

// questions are all that is asked of a stack.
func questions(m *Model) (all []question) {
	x := thingsOf(m)
	ask := func(action, resource string, context map[string]string, may ...string) {
		for _, who := range append([]string{administrator}, stackRoles...) {
			all = append(all, question{who: who, action: action, resource: resource, context: context, may: slices.Contains(may, who)})
		}
	}
	// one asks about one person only.
	one := func(who, action, resource string, context map[string]string, may bool) {
		all = append(all, question{who: who, action: action, resource: resource, context: context, may: may})
	}
	for _, prefix := range slices.Sorted(maps.Keys(readers)) {
		object := x.archive + "/" + prefix + "/example"
		ask("s3:GetObject", object, nil, readers[prefix]...)
		ask("s3:GetObjectVersion", object, nil, slices.DeleteFunc(slices.Clone(readers[prefix]), func(who string) bool { return who == athena })...)
		ask("s3:PutObject", object, x.put(prefix), writers[prefix]...)
		// Nobody deletes, dates or bypasses; the administrator of a staging stack may.
		mayClear := []string{administrator}
		if m.Resources["ArchiveBucket"] == nil || at(m.Resources["ArchiveBucket"].Properties, "ObjectLockConfiguration.Rule.DefaultRetention.Mode") != "GOVERNANCE" {
			mayClear = nil
		}
		for _, action := range []string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:BypassGovernanceRetention"} {
			ask(action, object, nil, mayClear...)
		}
		for _, who := range writers[prefix] {
			one(who, "s3:PutObject", object, without(x.put(prefix), "s3:if-none-match"), false)
			one(who, "s3:PutObject", object, with(x.put(prefix), "s3:x-amz-server-side-encryption-aws-kms-key-id", x.opsKey), false)
			one(who, "s3:PutObject", object, with(x.put(prefix), "s3:x-amz-server-side-encryption", "AES256"), false)
			one(who, "s3:PutObject", object, with(x.put(prefix), "aws:SecureTransport", "false"), false)
			one(who, "s3:PutObject", object, with(x.put(prefix), "s3:TlsVersion", "1.1"), false)
			if slices.Contains(underCaptureKey, prefix) {
				one(who, "s3:PutObject", object, map[string]string{"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}, false)
			} else {
				one(who, "s3:PutObject", object, with(x.put(prefix), "s3:x-amz-server-side-encryption-aws-kms-key-id", x.captureKey), false)
			}
		}
		for _, who := range readers[prefix] {
			one(who, "s3:GetObject", object, map[string]string{"aws:SecureTransport": "false"}, false)
			if who == puller || who == archiver || who == media || who == directory || who == compactor || who == reindexer { // stolen credentials, used elsewhere
				one(who, "s3:GetObject", object, map[string]string{"aws:SourceVpc": "vpc-elsewhere"}, false)
			}
			if who == admin { // a browser, with a URL that admin signed: files and nothing else
				one(who, "s3:GetObject", object, map[string]string{"aws:SourceVpc": "vpc-elsewhere"}, prefix == "media")
			}
		}
	}
	for _, action := range []string{"s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"} {
		ask(action, x.archive, nil, puller, archiver, media, directory, compactor, reindexer, admin, operator, auditor, administrator)
	}
	for _, action := range []string{"s3:ListBucket", "s3:ListBucketVersions"} {
		one(admin, action, x.archive, map[string]string{"aws:SourceVpc": "vpc-elsewhere"}, false)
		one(admin, action, x.derived, map[string]string{"aws:SourceVpc": "vpc-elsewhere"}, false)
	}
	one(admin, "s3:PutObject", x.archive+"/access/example", with(x.put("access"), "aws:SourceVpc", "vpc-elsewhere"), false)
	for _, action := range []string{"s3:GetObjectRetention", "s3:GetObjectLegalHold"} {
		ask(action, x.archive+"/messages/example", nil, auditor, administrator)
	}
	ask("s3:PutObjectLegalHold", x.archive+"/messages/example", nil, administrator)
	ask("s3:PutBucketPolicy", x.archive, nil, administrator)
	ask("s3:PutBucketObjectLockConfiguration", x.archive, nil, administrator)

	for prefix, who := range map[string][]string{"compactions": {compactor, admin, auditor}, "readings": {admin, auditor}, "fetch": {media, auditor}} {
		ask("s3:GetObject", x.derived+"/"+prefix+"/example", nil, who...)
		for _, who := range who {
			if who != auditor {
				one(who, "s3:GetObject", x.derived+"/"+prefix+"/example", map[string]string{"aws:SourceVpc": "vpc-elsewhere"}, false)
			}
		}
	}
	all = append(all, athenaQuestions(m, x)...)
	for _, action := range []string{"s3:PutObject", "s3:DeleteObject"} {
		ask(action, x.derived+"/compactions/example", nil, compactor, administrator)
		one(compactor, action, x.derived+"/compactions/example", map[string]string{"aws:SecureTransport": "false"}, false)
	}
	list := map[string]string{"s3:x-amz-server-side-encryption": "aws:kms", "s3:x-amz-server-side-encryption-aws-kms-key-id": x.captureKey}
	ask("s3:PutObject", x.derived+"/fetch/example", list, archiver)
	ask("s3:PutObject", x.derived+"/fetch/example", nil)
	ask("s3:PutObject", x.derived+"/fetch/example", with(list, "s3:x-amz-server-side-encryption-aws-kms-key-id", x.contentKey))
	all = append(all, keyQuestions(m, x)...)

	for _, action := range []string{"dynamodb:GetItem", "dynamodb:BatchGetItem"} {
		ask(action, x.table, nil, puller, archiver, media, directory, callback, compactor, reindexer, admin, operator, administrator)
	}
	ask("dynamodb:Query", x.table, nil, puller, archiver, media, directory, compactor, reindexer, admin, operator, administrator)
	for _, action := range []string{"dynamodb:PutItem", "dynamodb:UpdateItem"} {
		ask(action, x.table, nil, puller, archiver, media, directory, callback, compactor, reindexer, operator, administrator)
	}
	for _, action := range []string{"dynamodb:DeleteItem", "dynamodb:BatchWriteItem"} {
		ask(action, x.table, nil, puller, archiver, media, directory, compactor, reindexer, administrator)
	}
	ask("dynamodb:Scan", x.table, nil, reindexer, administrator)
	ask("dynamodb:DeleteTable", x.table, nil, administrator)
	ask("sqs:SendMessage", x.pages, nil, puller, operator, administrator)
	for _, action := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"} {
		ask(action, x.pages, nil, archiver, administrator)
	}
	one(operator, "sqs:SendMessage", x.pages, map[string]string{"aws:SecureTransport": "false"}, false)
	dead := strings.TrimSuffix(x.pages, "pages") + "dead-runs"
	ask("sqs:SendMessage", dead, nil, puller, media, directory, compactor, signin, administrator)
	jobs := strings.TrimSuffix(x.pages, "pages") + "media"
	for _, action := range []string{"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"} {
		ask(action, jobs, nil, media, administrator)
		one(media, action, jobs, map[string]string{"aws:SecureTransport": "false"}, false)
	}
	for prefix, may := range map[string]bool{"events/dt=2026-01-01/callback-1.json": true, "messages/": false, "": false} {
		one(callback, "s3:ListBucketVersions", x.archive, map[string]string{"s3:prefix": prefix}, may)
	}
	wakes := strings.TrimSuffix(x.pages, "pages") + "wakes"
	ask("sqs:SendMessage", wakes, nil, callback, administrator)
	one(callback, "sqs:SendMessage", wakes, map[string]string{"aws:SecureTransport": "false"}, false)
	for _, action := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"} {
		ask(action, wakes, nil, puller, administrator)
	}
	for name, who := range map[string][]string{"archive-secret": {puller, media, directory}, "proxy-password": {puller, media}, "companion-secret": {directory}, "callback-token": {callback}, "callback-aes-key": {callback}, "signin-client-secret": {signin}} {
		secret := strings.TrimSuffix(x.secret, "archive-secret") + name
		ask("ssm:GetParameter", secret, nil, append(who, administrator)...)
		ask("ssm:PutParameter", secret, nil, operator, administrator)
	}
	for _, action := range []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"} {
		one(signin, action, x.table, map[string]string{"dynamodb:LeadingKeys": "signin"}, true)
		one(signin, action, x.table, map[string]string{"dynamodb:LeadingKeys": "puller"}, false)
	}
	for function, who := range map[string][]string{puller: {operator, administrator}, compactor: {operator, administrator}, reindexer: {operator, administrator}, archiver: {administrator}, signin: {administrator}} {
		ask("lambda:InvokeFunction", fmt.Sprintf("arn:%s:lambda:%s:%s:function:%s-%s", m.Place.Partition, m.Place.Region, m.Place.Account, m.Place.Stack, function), nil, who...)
	}
	return append(append(all, layers(x, all)...), endpointQuestions(x)...)
}

// layers asks again what two policies refuse.
func layers(x things, all []question) (more []question) {
	for _, q := range all {
		if q.may || q.who == administrator {
			continue
		}
		crypto := slices.Contains([]string{"kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt", "kms:CreateGrant", "kms:GenerateDataKeyPairWithoutPlaintext"}, q.action)
		pages := q.action == "s3:PutObject" && slices.ContainsFunc([]string{"/pages/", "/rejects/", "/media/", "/links/", "/directory/"}, func(prefix string) bool { return strings.HasPrefix(q.resource, x.archive+prefix) })
		content := q.action == "s3:GetObject" && strings.HasPrefix(q.resource, x.archive+"/messages/")
		if crypto {
			q.alone = "identity"
			more = append(more, q)
		}
		// The key of queues and logs leaves it to IAM who may use it through services.
		if crypto && q.resource != x.opsKey || pages || content {
			q.alone = "resource"
			more = append(more, q)
		}
	}
	return more
}

// endpointQuestions: the endpoints lead to what is ours, and for us alone.
func endpointQuestions(x things) (all []question) {
	for _, q := range []question{
		{action: "s3:GetObject", resource: x.archive + "/pages/example"}, {action: "s3:PutObject", resource: x.derived + "/fetch/example"},
		{action: "dynamodb:GetItem", resource: x.table}, {action: "kms:Decrypt", resource: x.keyringKey},
	} {
		q.who, q.alone, q.may = archiver, "endpoint", true
		all = append(all, q)
		q.may, q.context = false, map[string]string{"aws:PrincipalAccount": "999999999999"}
		all = append(all, q)
	}
	for _, q := range []question{
		{action: "s3:PutObject", resource: "arn:aws:s3:::of-somebody-else/example"}, {action: "dynamodb:PutItem", resource: x.table + "-2"},
		{action: "kms:Encrypt", resource: x.keyringKey}, {action: "kms:Decrypt", resource: x.contentKey}, {action: "s3:PutBucketPolicy", resource: x.archive},
	} {
		q.who, q.alone = archiver, "endpoint"
		all = append(all, q)
	}
	return all
}

// athenaQuestions: who asks in bulk does so in the stack's workgroup, and sees
// messages and the answers alone.
func athenaQuestions(m *Model, x things) (all []question) {
	ask := func(action, resource string, context map[string]string, may ...string) {
		for _, who := range append([]string{administrator}, stackRoles...) {
			all = append(all, question{who: who, action: action, resource: resource, context: context, may: slices.Contains(may, who)})
		}
	}
	arn := func(service, rest string) string {
		return fmt.Sprintf("arn:%s:%s:%s:%s:%s", m.Place.Partition, service, m.Place.Region, m.Place.Account, rest)
	}
	for _, action := range []string{"athena:StartQueryExecution", "athena:GetQueryResults", "athena:GetWorkGroup", "athena:ListNamedQueries"} {
		ask(action, arn("athena", "workgroup/"+m.Place.Stack), nil, athena, administrator)
		ask(action, arn("athena", "workgroup/primary"), nil, administrator)
	}
	ask("athena:UpdateWorkGroup", arn("athena", "workgroup/"+m.Place.Stack), nil, administrator)
	for _, resource := range []string{"catalog", "database/" + m.Place.Stack, "table/" + m.Place.Stack + "/messages"} {
		ask("glue:GetTable", arn("glue", resource), nil, athena, administrator)
		ask("glue:UpdateTable", arn("glue", resource), nil, administrator)
	}
	ask("glue:GetTable", arn("glue", "table/another/messages"), nil, administrator)
	answers := x.derived + "/athena/example"
	ask("s3:GetObject", answers, nil, auditor, athena)
	ask("s3:PutObject", answers, nil, athena, administrator)
	ask("s3:DeleteObject", answers, nil, administrator)
	for bucket, prefix := range map[string]string{x.archive: "messages/dt=2026-01-01/", x.derived: "athena/"} {
		for prefix, may := range map[string]bool{prefix: true, "keys/": false, "": false} {
			all = append(all, question{who: athena, action: "s3:ListBucket", resource: bucket, context: map[string]string{"s3:prefix": prefix}, may: may})
		}
		all = append(all, question{who: athena, action: "s3:GetBucketLocation", resource: bucket, may: true})
	}
	return all
}

// keyQuestions: who can decrypt, who can wrap, who can sign.
func keyQuestions(m *Model, x things) (all []question) {
	ask := func(action, resource string, context map[string]string, may ...string) {
		for _, who := range append([]string{administrator}, stackRoles...) {
			all = append(all, question{who: who, action: action, resource: resource, context: context, may: slices.Contains(may, who)})
		}
	}
	s3 := m.via("s3")
	// Directly, these keys open nothing for anybody.
	for _, key := range []string{x.captureKey, x.contentKey, x.opsKey} {
		ask("kms:Decrypt", key, nil)
		ask("kms:GenerateDataKey", key, nil)
	}
	ask("kms:Decrypt", x.captureKey, s3, puller, archiver, media, directory, reindexer, operator, admin, auditor, athena)
	ask("kms:GenerateDataKey", x.captureKey, s3, puller, archiver, media, directory, reindexer, callback, admin, operator)
	// Whoever serves the pages asks for pulls, says what is damaged and who took note of
	// it, and writes no other event.
	for _, name := range []string{"pullrequest-1795485599123-x", "damage-1795485599123-0123456789abcdef", "damageclosed-1795485599123-0123456789abcdef-mended"} {
		who := append([]string{admin}, writers["events"]...)
		if strings.HasPrefix(name, "damage") { // whoever reads may find something
			who = append(who, media)
		}
		ask("s3:PutObject", x.archive+"/events/dt=2026-11-24/"+name+".json", x.put("events"), who...)
	}
	ask("kms:Decrypt", x.contentKey, s3, archiver, compactor, reindexer, admin, auditor, athena)
	ask("kms:GenerateDataKey", x.contentKey, s3, archiver, compactor, admin, athena)
	ours := map[string]string{"kms:EncryptionContext:app": "wecom-archive", "kms:EncryptionContext:corp": "ww5117a9e0c0ffee01", "kms:EncryptionContext:key": "k1"}
	theirs := with(ours, "kms:EncryptionContext:corp", "ww0000000000000000")
	ask("kms:Decrypt", x.keyringKey, ours, archiver)
	ask("kms:Decrypt", x.keyringKey, theirs)
	ask("kms:Decrypt", x.keyringKey, with(ours, "kms:EncryptionContext:app", "another"))
	ask("kms:Decrypt", x.keyringKey, nil)
	ask("kms:Decrypt", x.keyringKey, s3)
	for _, action := range []string{"kms:GenerateDataKeyPairWithoutPlaintext", "kms:Encrypt"} {
		ask(action, x.keyringKey, ours, operator)
		ask(action, x.keyringKey, theirs)
	}
	ask("kms:GenerateDataKeyPair", x.keyringKey, ours) // would hand out the private half
	ask("kms:ReEncryptFrom", x.keyringKey, ours)
	ask("kms:Decrypt", x.opsKey, m.via("ssm"), puller, media, directory, callback, signin, administrator)
	ask("kms:Encrypt", x.opsKey, m.via("ssm"), operator, administrator)
	ask("kms:Decrypt", x.opsKey, m.via("sqs"), puller, archiver, media, directory, callback, compactor, signin, operator, administrator)
	ask("kms:GenerateDataKey", x.opsKey, m.via("sqs"), puller, media, directory, callback, compactor, signin, operator, administrator)
	ask("kms:Decrypt", x.opsKey, m.via("dynamodb"), puller, archiver, media, directory, callback, compactor, reindexer, admin, signin, operator, administrator)
	sessions := map[string]string{"kms:EncryptionContext:app": "wecom-archive", "kms:EncryptionContext:purpose": "sessions", "kms:EncryptionContext:stack": m.Place.Stack}
	ask("kms:Decrypt", x.sessionKey, sessions, signin, admin)
	ask("kms:GenerateDataKey", x.sessionKey, sessions, signin)
	ask("kms:Encrypt", x.sessionKey, sessions)
	for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey"} {
		ask(action, x.sessionKey, nil)
		ask(action, x.sessionKey, with(sessions, "kms:EncryptionContext:stack", "another"))
		ask(action, x.sessionKey, with(sessions, "kms:EncryptionContext:purpose", "another"))
		ask(action, x.sessionKey, with(sessions, "kms:EncryptionContext:app", "another"))
	}
	for _, key := range []string{x.captureKey, x.contentKey, x.keyringKey, x.opsKey, x.sessionKey} {
		ask("kms:CreateGrant", key, nil)
		ask("kms:Sign", key, nil)
		for _, action := range []string{"kms:PutKeyPolicy", "kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "kms:DescribeKey", "kms:EnableKeyRotation"} {
			ask(action, key, nil, administrator)
		}
	}
	return all
}

func with(c map[string]string, key, value string) map[string]string {
	c = maps.Clone(c)
	if c == nil {
		c = map[string]string{}
	}
	c[key] = value
	return c
}

func without(c map[string]string, key string) map[string]string {
	c = maps.Clone(c)
	delete(c, key)
	return c
}

func TestPermissions(t *testing.T) {
	e := expanded(t)
	for _, s := range scenes {
		if s.name == "adopted" {
			continue // the keys' policies are those of the stack that made them
		}
		t.Run(s.name, func(t *testing.T) {
			m := resolve(t, e, s)
			all := questions(m)
			var simulations []any
			for _, q := range all {
				simulations = append(simulations, m.simulation(q))
			}
			for i, wrong := range wrongAnswers(m, all, evaluate(t, simulations)) {
				if i == 40 {
					t.Fatal("and more")
				}
				t.Error(wrong)
			}
			t.Logf("%d questions", len(all))
		})
	}
}
