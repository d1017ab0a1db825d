"""Running a subject: who hears of a call before it is made."""
