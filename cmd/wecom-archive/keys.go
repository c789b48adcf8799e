package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/callback"
	"wecom-archive/shared/program"
	"wecom-archive/shared/store"
)

// keysCommand makes, imports and lists RSA keys. Private halves are never shown.
type keysCommand struct {
	Create keysCreate `cmd:"" help:"Make a key pair and print its public half, to paste into the WeCom console (消息加密公钥)."`
	Import keysImport `cmd:"" help:"Store a private key that the company uses already."`
	List   keysList   `cmd:"" help:"List the keys, and which publickey_ver each is known to open."`
	Show   keysShow   `cmd:"" help:"Print the public half of a key."`
}

type keysCreate struct {
	target `embed:""`
	ID     string `arg:"" help:"Name of the key, our own: it stays for ever."`
}

func (c *keysCreate) Run(ctx context.Context, to streams, v version) error {
	return c.with(ctx, to, func(o *opened) error {
		if err := o.mayKeep(ctx, v); err != nil {
			return err
		}
		rec, err := o.Ring.Create(ctx, c.ID)
		if errors.Is(err, store.ErrExists) {
			return fmt.Errorf("%w: choose another name; wecom-archive keys show prints its public half", err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(to.Err, "Made key %s, fingerprint %s. Paste this into the WeCom console:\n", rec.ID, rec.Fingerprint)
		_, err = fmt.Fprint(to.Out, rec.PublicPEM)
		return err
	})
}

type keysImport struct {
	target `embed:""`
	ID     string `arg:"" help:"Name of the key, our own: it stays for ever."`
	File   string `default:"-" type:"path" help:"PEM file of the private key, PKCS#1 or PKCS#8, RSA-2048; - is standard input."`
}

func (c *keysImport) Run(ctx context.Context, to streams, v version) error {
	text, err := readInput(c.File, to.In)
	if err != nil {
		return err
	}
	defer clear(text)
	return c.with(ctx, to, func(o *opened) error {
		if err := o.mayKeep(ctx, v); err != nil {
			return err
		}
		rec, err := o.Ring.Import(ctx, c.ID, text)
		if err != nil {
			return err
		}
		fmt.Fprintf(to.Err, "Imported key %s, fingerprint %s. To open what waits for it: wecom-archive redrive --reason %s\n", rec.ID, rec.Fingerprint, archive.OutcomeUnknownKey)
		return nil
	})
}

// errUnknownSource: this program must not make what stays for ever.
var errUnknownSource = errors.New("was built from changed or unknown source, and this archive locks for good (COMPLIANCE): " +
	"nobody could find out later what made the key. Commit what git status shows, build wecom-archive in a clone, and do it with that")

// mayKeep says whether this program may make a key of the archive: what holds the
// company's keys for years must have come from a source that can be found again.
func (o *opened) mayKeep(ctx context.Context, v version) error {
	if o.compliance == nil || program.Traceable(string(v)) {
		return nil
	}
	compliance, err := o.compliance(ctx)
	if err == nil && compliance {
		err = fmt.Errorf("wecom-archive %s %w", v, errUnknownSource)
	}
	return err
}

type keysShow struct {
	target `embed:""`
	ID     string `arg:"" help:"Name of the key."`
}

func (c *keysShow) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		rec, err := o.Ring.Record(ctx, c.ID)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(to.Out, rec.PublicPEM)
		return err
	})
}

type keysList struct {
	target `embed:""`
	JSON   bool `name:"json" help:"One JSON object per line."`
}

// keyLine is a key as keys list shows it.
type keyLine struct {
	ID          string    `json:"id"`
	CreatedAt   time.Time `json:"created_at"`
	Imported    bool      `json:"imported"`
	Fingerprint string    `json:"fingerprint"`
	Versions    []int64   `json:"publickey_vers"` // known so far
}

func (c *keysList) Run(ctx context.Context, to streams) error {
	return c.with(ctx, to, func(o *opened) error {
		lines, err := listKeys(ctx, o)
		if printErr := c.print(to, lines); printErr != nil {
			return printErr
		}
		return err // about records that cannot be read: the others are shown
	})
}

func listKeys(ctx context.Context, o *opened) ([]keyLine, error) {
	bindings, err := o.Catalog.Keys.Bindings(ctx, 10_000)
	if err != nil {
		return nil, err
	}
	recs, err := o.Ring.Records(ctx)
	lines := make([]keyLine, len(recs))
	for i, rec := range recs {
		lines[i] = keyLine{ID: rec.ID, CreatedAt: rec.CreatedAt, Imported: rec.Imported, Fingerprint: rec.Fingerprint, Versions: []int64{}}
		for _, b := range bindings {
			if b.Key == rec.ID {
				lines[i].Versions = append(lines[i].Versions, b.PublicKeyVer)
			}
		}
		slices.Sort(lines[i].Versions)
	}
	return lines, err
}

func (c *keysList) print(to streams, lines []keyLine) error {
	var buf bytes.Buffer
	if c.JSON {
		encoder := json.NewEncoder(&buf)
		for _, l := range lines {
			if err := encoder.Encode(l); err != nil {
				return err
			}
		}
	} else {
		table := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "KEY\tMADE\tORIGIN\tFINGERPRINT\tPUBLICKEY_VER")
		for _, l := range lines {
			origin := "created"
			if l.Imported {
				origin = "imported"
			}
			versions := strings.Trim(strings.ReplaceAll(fmt.Sprint(l.Versions), " ", ","), "[]")
			if versions == "" {
				versions = "not known yet"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.CreatedAt.UTC().Format(time.RFC3339), origin, l.Fingerprint, versions)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	_, err := to.Out.Write(buf.Bytes())
	return err
}

// secretsCommand keeps what WeCom's console shows once.
type secretsCommand struct {
	Set secretsSet `cmd:"" help:"Store a secret, in place of an older one."`
}

type secretsSet struct {
	target `embed:""`
	Name   string `arg:"" enum:"archive-secret,companion-secret,callback-token,callback-aes-key,signin-client-secret,proxy-password" help:"archive-secret (会话内容存档 Secret), companion-secret (of the app that asks for names), callback-token or callback-aes-key (Token and EncodingAESKey of 接收事件服务器), signin-client-secret (of the pages' client at the OpenID issuer, with --stack; a public client has none), or proxy-password (user:password of the proxy to WeCom, with --stack)."`
	File   string `default:"-" type:"path" help:"File that holds it; - is standard input. Space around it does not count."`
}

// secretShapes check what must have a certain shape, so that a wrong paste is noticed
// here and not when WeCom calls.
var secretShapes = map[string]func(string) error{
	store.SecretCallbackToken: callback.CheckToken, store.SecretCallbackKey: callback.CheckAESKey, store.SecretProxy: checkProxyPassword,
}

func checkProxyPassword(value string) error {
	if user, password, ok := strings.Cut(value, ":"); !ok || user == "" || password == "" {
		return errors.New("it is not user:password")
	}
	return nil
}

// onStackOnly says why a folder has no use for a secret: who set it there would wait
// for what never comes.
var onStackOnly = map[string]string{
	store.SecretSignIn: "a folder signs readers in by itself, without an issuer that asks for it",
	store.SecretProxy:  "a folder asks WeCom without a proxy",
}

func (c *secretsSet) Run(ctx context.Context, to streams) error {
	if why := onStackOnly[c.Name]; why != "" && c.Dir != "" {
		return fmt.Errorf("secrets set %s: %s: give --stack", c.Name, why)
	}
	text, err := readInput(c.File, to.In)
	if err != nil {
		return err
	}
	defer clear(text)
	value := strings.TrimSpace(string(text))
	if value == "" {
		return fmt.Errorf("--file %s: there is nothing in it", c.File)
	}
	if check := secretShapes[c.Name]; check != nil {
		if err := check(value); err != nil {
			return fmt.Errorf("--file %s: %w", c.File, err)
		}
	}
	return c.with(ctx, to, func(o *opened) error {
		if err := o.Secrets.Set(ctx, c.Name, value); err != nil {
			return err
		}
		fmt.Fprintf(to.Err, "Stored %s.\n", c.Name)
		return nil
	})
}
