package companion

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"wecom-archive/shared/wecom"
)

// Names of APIs, as in Client.Calls.
const (
	apiUser          = "user/get"
	apiExternal      = "externalcontact/get"
	apiContactsOf    = "externalcontact/batch/get_by_user"
	apiCustomerGroup = "externalcontact/groupchat/get"
)

// User is an employee. WeCom withholds mobile, mail, avatar and gender from apps made
// after 2022-06-20; they are not asked for.
type User struct {
	ID             string  `json:"userid"` // in the company's spelling
	Name           string  `json:"name"`
	Alias          string  `json:"alias"`
	Position       string  `json:"position"`
	Departments    []int64 `json:"department"`
	MainDepartment int64   `json:"main_department"`
	Status         int     `json:"status"` // 1 active, 2 disabled, 4 not activated, 5 left
}

// User asks for an employee (D96255); wecom.ErrUnknownID (60111) if there is none.
func (cl *Client) User(ctx context.Context, id string) (User, error) {
	var u User
	err := cl.do(ctx, call{api: apiUser, query: url.Values{"userid": {id}}}, &u)
	if err == nil && u.ID == "" {
		err = fmt.Errorf("%s: %w: no userid in it", apiUser, ErrReply)
	}
	return u, err
}

// Where an external contact is.
const (
	OnWeChat = 1
	OnWeCom  = 2
)

// ExternalContact is a customer, or another person outside the company.
type ExternalContact struct {
	ID           string `json:"external_userid"`
	Name         string `json:"name"` // on WeChat what the person chose
	Position     string `json:"position"`
	CorpName     string `json:"corp_name"`
	CorpFullName string `json:"corp_full_name"`
	Type         int    `json:"type"` // OnWeChat, OnWeCom
}

// Follower is what an employee noted of a customer.
type Follower struct {
	UserID      string `json:"userid"`
	Remark      string `json:"remark"` // the name the employee gave
	Description string `json:"description"`
	RemarkCorp  string `json:"remark_corp_name"`
	CreatedAt   int64  `json:"createtime"` // Unix s
	Tags        []struct {
		Group string `json:"group_name"`
		Name  string `json:"tag_name"`
		ID    string `json:"tag_id"`
	} `json:"tags"` // of ExternalContact
	TagIDs []string `json:"tag_id"` // of ContactsOf
}

// maxFollowerPages bounds the pages of 500 followers that are read of one customer.
const maxFollowerPages = 40

// ExternalContact asks for a customer and who follows it (D92114); an error that is
// wecom.ErrUnknownID or wecom.ErrNoExternalContact if nobody does.
func (cl *Client) ExternalContact(ctx context.Context, id string) (contact ExternalContact, followers []Follower, err error) {
	query := url.Values{"external_userid": {id}}
	for range maxFollowerPages {
		var reply struct {
			Contact   ExternalContact `json:"external_contact"`
			Followers []Follower      `json:"follow_user"`
			Next      string          `json:"next_cursor"`
		}
		if err := cl.do(ctx, call{api: apiExternal, query: query}, &reply); err != nil {
			return contact, nil, err
		}
		if contact.ID == "" {
			contact = reply.Contact
		}
		followers = append(followers, reply.Followers...)
		if reply.Next == "" || reply.Next == query.Get("cursor") {
			break
		}
		query.Set("cursor", reply.Next)
	}
	if contact.ID == "" {
		return contact, nil, fmt.Errorf("%s: %w: no contact in it", apiExternal, ErrReply)
	}
	return contact, followers, nil
}

// Most userids and contacts of one call of ContactsOf (D92994).
const (
	MaxContactsUsers = 100
	MaxContactsPage  = 100
)

// Contact is a customer as one employee follows it.
type Contact struct {
	External ExternalContact `json:"external_contact"`
	Follow   Follower        `json:"follow_info"`
}

// ContactsOf lists the customers of at most MaxContactsUsers employees, a page at a
// time (D92994). cursor is next of the page before, at first empty; next is empty at
// the end.
func (cl *Client) ContactsOf(ctx context.Context, userids []string, cursor string) (contacts []Contact, next string, err error) {
	if len(userids) == 0 || len(userids) > MaxContactsUsers {
		return nil, "", fmt.Errorf("%s: %d userids, WeCom takes 1 to %d", apiContactsOf, len(userids), MaxContactsUsers)
	}
	body := struct {
		UserIDs []string `json:"userid_list"`
		Cursor  string   `json:"cursor,omitempty"`
		Limit   int      `json:"limit"`
	}{userids, cursor, MaxContactsPage}
	var reply struct {
		List []Contact `json:"external_contact_list"`
		Next string    `json:"next_cursor"`
	}
	if err := cl.do(ctx, call{api: apiContactsOf, body: body}, &reply); err != nil {
		return nil, "", err
	}
	if cursor != "" && reply.Next == cursor {
		return nil, "", fmt.Errorf("%s: %w: a page that is its own next one", apiContactsOf, ErrReply)
	}
	return reply.List, reply.Next, nil
}

// Types of members of a CustomerGroup.
const (
	MemberEmployee = 1
	MemberExternal = 2
)

// CustomerGroup is a room with customers.
type CustomerGroup struct {
	ID        string `json:"chat_id"`
	Name      string `json:"name"` // empty if nobody named it
	Owner     string `json:"owner"`
	CreatedAt int64  `json:"create_time"` // Unix s
	Notice    string `json:"notice"`
	Members   []struct {
		ID       string `json:"userid"`
		Type     int    `json:"type"` // MemberEmployee, MemberExternal
		Name     string `json:"name"`
		Nickname string `json:"group_nickname"`
		JoinedAt int64  `json:"join_time"` // Unix s
	} `json:"member_list"`
}

// CustomerGroup asks for a room with customers, its members by name (D92122);
// ErrNotCustomerGroup if it is not one that the app may see.
func (cl *Client) CustomerGroup(ctx context.Context, room string) (CustomerGroup, error) {
	body := struct {
		Room     string `json:"chat_id"`
		NeedName int    `json:"need_name"`
	}{room, 1}
	var reply struct {
		Group CustomerGroup `json:"group_chat"`
	}
	err := cl.do(ctx, call{api: apiCustomerGroup, body: body}, &reply)
	// WeCom documents these words and no code for them.
	if e, ok := errors.AsType[*wecom.Error](err); ok &&
		(errors.Is(err, wecom.ErrUnknownID) || strings.Contains(e.Message, "not external group chat")) {
		err = fmt.Errorf("%w: %w", ErrNotCustomerGroup, err)
	}
	if err == nil && reply.Group.ID == "" {
		err = fmt.Errorf("%s: %w: no group in it", apiCustomerGroup, ErrReply)
	}
	return reply.Group, err
}
