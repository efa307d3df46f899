#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# For greenboot: what the agent knows, into the journal, before the machine goes back to the boot before.
echo "fc-agent health:"
@bindir@/fc-agent health -o json
echo "fc-agent status:"
@bindir@/fc-agent status -o json
if command -v journalctl >/dev/null; then
    echo "the last runs:"
    journalctl --no-pager --lines 100 --unit fc-agent.service
fi
if command -v bootc >/dev/null; then bootc status; fi
exit 0
