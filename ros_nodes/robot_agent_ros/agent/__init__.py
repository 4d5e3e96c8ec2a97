"""The agent on a robot: it sees, feels, plans, acts and learns, and holds still whenever it cannot know better."""
