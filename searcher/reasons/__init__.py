"""Why a picture is a result, in words and as a heat map."""
