"""The program of the download pod: it lists a source, checks the volume, fetches, resumes and verifies."""
