package show

import (
	"context"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/setup"
)

// setupKeys is far above what a corp makes and binds: a version for each upload.
const setupKeys = 10_000

// setupKey has a name of its own for the API's description, where a key is another
// thing already.
type setupKey setup.Key

type setupOutput struct{ Body SetupBody }

// SetupBody is how far the setup is.
type SetupBody struct {
	Steps     []setup.Step     `json:"steps" nullable:"false" doc:"In the order in which they are done"`
	Schedule  string           `json:"schedule,omitempty" doc:"Of pulls, as EventBridge writes it"`
	Retention string           `json:"retention,omitempty" doc:"How long the archive bucket locks"`
	Keys      []setupKey       `json:"keys" nullable:"false" doc:"In order of their making; private halves are never shown"`
	KeysLost  string           `json:"keys_unreadable,omitempty" doc:"Which keys cannot be read, and why; the others are shown"`
	Checkup   *archive.Checkup `json:"checkup,omitempty" doc:"What doctor found last"`
}

// SetupSteps says what to do until messages are archived, and how far it is.
func (s *Books) SetupSteps(ctx context.Context, _ *struct{}) (*setupOutput, error) {
	f := setup.Facts{Settings: s.config.Setup}
	var out setupOutput
	var err error
	if out.Body.Keys, err = s.publicKeys(ctx); err != nil {
		return nil, err
	}
	for _, k := range out.Body.Keys {
		f.Keys = append(f.Keys, setup.Key(k))
	}
	if f.Checkup, err = s.lastCheckup(ctx); err != nil {
		return nil, err
	}
	if f.State, err = s.config.Catalog.Pages.PullState(ctx); err != nil {
		return nil, err
	}
	if f.Cursor, err = s.config.Catalog.Pages.Cursor(ctx); err != nil {
		return nil, err
	}
	out.Body.Steps, out.Body.Checkup = setup.Steps(f), f.Checkup
	out.Body.Schedule, out.Body.Retention = s.config.Setup.Schedule, s.config.Setup.Retention
	return &out, nil
}

// lastCheckup is the puller's, since WeCom is asked from there, else the operator's.
func (s *Books) lastCheckup(ctx context.Context) (*archive.Checkup, error) {
	for _, where := range []string{archive.CheckedByPuller, archive.CheckedHere} {
		if c, found, err := s.config.Catalog.Journal.LastCheckup(ctx, where); err != nil || found {
			return &c, err
		}
	}
	return nil, nil
}

// publicKeys are the corp's keys, and what each has opened.
func (s *Books) publicKeys(ctx context.Context) ([]setupKey, error) {
	known, err := s.config.Catalog.Keys.PublicKeys(ctx, setupKeys)
	if err != nil {
		return nil, err
	}
	bindings, err := s.config.Catalog.Keys.Bindings(ctx, setupKeys)
	if err != nil {
		return nil, err
	}
	keys := make([]setupKey, len(known))
	for i, k := range known {
		keys[i] = setupKey{PublicKey: k, Versions: []int64{}}
		for _, b := range bindings {
			if b.Key == k.ID {
				keys[i].Versions = append(keys[i].Versions, b.PublicKeyVer)
			}
		}
	}
	return keys, nil
}
