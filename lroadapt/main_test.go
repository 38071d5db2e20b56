package lroadapt_test

import (
	"testing"

	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
