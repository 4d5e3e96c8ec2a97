"""Recordings become experience: what their topics are for, which commands counted, and the transitions they are."""
