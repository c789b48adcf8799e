// Package storetest tests the ports of package store and what works on them.
//
// One contract suite per port (TestObjects, TestIndex, TestKeyring, TestSecrets)
// states what the port's comments promise; every adapter passes it unchanged.
// NewObjects and NewIndex are exact stand-ins in memory, cheap enough for
// thousands of runs. Faults breaks off a program at any durable operation, and
// Dropping loses notifications, to show that stages recover.
//
// Only tests import it.
package storetest
