#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# For greenboot: a boot in which the agent does not get the device well is taken back. The first run of
# the agent after the boot, which may be finishing an update, has a few minutes.
exec @bindir@/fc-agent health --wait 300
